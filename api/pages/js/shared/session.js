// The key of this visit. It is kept for the tab alone, and is gone when the tab is closed.

const STORED = "recoq-key";

export const session = {
  account: null,
  get key() {
    return sessionStorage.getItem(STORED);
  },
  set key(key) {
    if (key === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, key);
  },
};
