// Many images, a few at a time: the service takes more, but the browser keeps only so many connections.

const AT_ONCE = 4;

/** Ask `spec` about each of `items`, in their order, for as long as `goesOn` returns true. */
export async function runAll(items, spec, goesOn) {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) {
        if (!goesOn()) return;
        await item.run(spec);
      }
    }),
  );
}
