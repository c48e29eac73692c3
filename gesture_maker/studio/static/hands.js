// Hands drawn over a picture: 21 landmarks in shares of its width and height, as the studio sends them.

export const CONNECTIONS = [
  [0, 1], [1, 2], [2, 3], [3, 4],
  [0, 5], [5, 6], [6, 7], [7, 8],
  [5, 9], [9, 10], [10, 11], [11, 12],
  [9, 13], [13, 14], [14, 15], [15, 16],
  [13, 17], [17, 18], [18, 19], [19, 20], [0, 17],
];

/**
 * Draw hands on a canvas that lies over a picture. `hands`: [{points: [[x, y], …]}]; `mirror`: the picture is shown mirrored;
 * `width`, `height`: of the canvas on the page; `bold`: how much thicker the lines are, for small pictures.
 */
export function drawHands(canvas, hands, { mirror = false, width, height, bold = 1 } = {}) {
  width ??= canvas.clientWidth;
  height ??= canvas.clientHeight;
  const dense = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * dense)) canvas.width = Math.round(width * dense);
  if (canvas.height !== Math.round(height * dense)) canvas.height = Math.round(height * dense);
  const context = canvas.getContext("2d");
  context.setTransform(dense, 0, 0, dense, 0, 0);
  context.clearRect(0, 0, width, height);
  const size = bold * Math.max(width, height);
  for (const { points } of hands) {
    const place = ([x, y]) => [(mirror ? 1 - x : x) * width, y * height];
    const line = (thick, colour) => {
      context.lineWidth = thick;
      context.strokeStyle = colour;
      context.beginPath();
      for (const [from, to] of CONNECTIONS) {
        context.moveTo(...place(points[from]));
        context.lineTo(...place(points[to]));
      }
      context.stroke();
    };
    context.lineCap = "round";
    line(size / 110, "rgb(0 0 0 / 55%)"); // readable on any background
    line(size / 220, "rgb(255 255 255 / 95%)");
    for (const [index, point] of points.entries()) {
      context.beginPath();
      context.arc(...place(point), size / (index % 4 === 0 ? 105 : 140), 0, 2 * Math.PI);
      context.fillStyle = index === 0 ? "#ffb454" : index % 4 === 0 ? "#ff6b5e" : "#4cc38a";
      context.fill();
      context.lineWidth = 1;
      context.strokeStyle = "rgb(0 0 0 / 60%)";
      context.stroke();
    }
  }
}
