// Builds elements of the page. Text stays text: nothing is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Return an element `<tag>`; a property `onclick` is a listener, any other an attribute. */
export function element(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** Return an SVG element `<tag>`. */
export function drawn(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/** Return the element of the page with this ID. */
export function byId(id) {
  return document.getElementById(id);
}

/** Place `node` over a part of its container. `box` is in fractions of the container, as boxes of the API are. */
export function placeOver(node, { xmin, ymin, xmax, ymax }) {
  const percent = (fraction) => `${fraction * 100}%`;
  Object.assign(node.style, {
    left: percent(xmin),
    top: percent(ymin),
    width: percent(xmax - xmin),
    height: percent(ymax - ymin),
  });
}
