// Shows the image whose address is in the fragment, and tells the page around it how large it is.
// The frame is sandboxed: it has an origin of its own, no key, and no way to read the page.

const image = new Image();
const tell = (size) => parent.postMessage(size, location.origin);
image.alt = "";
image.referrerPolicy = "no-referrer";
image.addEventListener("load", () => tell({ width: image.naturalWidth, height: image.naturalHeight }));
image.addEventListener("error", () => tell(null));
image.src = decodeURIComponent(location.hash.slice(1));
document.body.append(image);
