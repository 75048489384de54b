// Draws an image of a few shapes, so that the demo models can be tried without an image at hand.

const WIDTH = 640;
const HEIGHT = 480;
const COLOURS = ["#c8352b", "#2463c9", "#2b8a4b", "#d08a14", "#7a3fb0", "#0e8390"];
const PLACES = [[150, 130], [470, 140], [170, 345], [460, 345]];

const between = (low, high) => low + Math.random() * (high - low);

function polygon(context, points) {
  context.beginPath();
  points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.fill();
}

function corners(count, radiusOf, turn) {
  return Array.from({ length: count }, (_, index) => {
    const angle = turn + (2 * Math.PI * index) / count;
    return [radiusOf(index) * Math.cos(angle), radiusOf(index) * Math.sin(angle)];
  });
}

const SHAPES = [
  (context, radius) => {
    context.beginPath();
    context.arc(0, 0, radius, 0, 2 * Math.PI);
    context.fill();
  },
  (context, radius) => polygon(context, corners(4, () => radius, Math.PI / 4)),
  (context, radius) => polygon(context, corners(3, () => radius, -Math.PI / 2)),
  (context, radius) => polygon(context, corners(10, (index) => (index % 2 ? radius * 0.42 : radius), -Math.PI / 2)),
];

function shuffled(values) {
  return values.map((value) => [Math.random(), value]).sort(([a], [b]) => a - b).map(([, value]) => value);
}

/** Return a PNG file with one shape of each kind. */
export async function drawShapes() {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d");
  context.fillStyle = `hsl(${between(0, 360)} 18% 88%)`;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  const colours = shuffled(COLOURS);
  const places = shuffled(PLACES);
  SHAPES.forEach((draw, index) => {
    const [x, y] = places[index];
    context.save();
    context.translate(x + between(-25, 25), y + between(-15, 15));
    context.rotate(between(-0.15, 0.15));
    context.fillStyle = colours[index];
    draw(context, between(70, 95));
    context.restore();
  });
  return new File([await canvas.convertToBlob()], "shapes.png", { type: "image/png" });
}
