// Two boxes that can be dragged, moved and sized by keyboard, with the value of every loss of boxes and the gradient of
// the page's own. The formulas are those of the pages; derivatives are central differences, so that a tie of two
// coordinates has the mean of both sides, as the kernels have it. Without this script the static pictures stay.
const EPS = 1e-7;

function overlap(p, t) {
  const width = Math.max(0, Math.min(p[2], t[2]) - Math.max(p[0], t[0]));
  const height = Math.max(0, Math.min(p[3], t[3]) - Math.max(p[1], t[1]));
  const common = width * height;
  const union = (p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]) - common;
  const wide = Math.max(p[2], t[2]) - Math.min(p[0], t[0]);
  const high = Math.max(p[3], t[3]) - Math.min(p[1], t[1]);
  const apart = ((p[0] + p[2] - t[0] - t[2]) ** 2 + (p[1] + p[3] - t[1] - t[3]) ** 2) / 4;
  return {
    iou: common / (union + EPS), union, wide, high, apart,
    distance: apart / (wide ** 2 + high ** 2 + EPS),
    width: p[2] - p[0] - t[2] + t[0], height: p[3] - p[1] - t[3] + t[1],
  };
}

function shape(p, t) {
  const turn = Math.atan2(t[2] - t[0], t[3] - t[1]) - Math.atan2(p[2] - p[0], p[3] - p[1]);
  return (4 / Math.PI ** 2) * turn ** 2;
}

// Each takes the predicted box, the true one, and the box at which a weight is held constant.
const LOSSES = {
  box_iou_loss: (p, t) => 1 - overlap(p, t).iou,
  generalized_box_iou_loss: (p, t) => {
    const o = overlap(p, t);
    return 1 - o.iou + (o.wide * o.high - o.union) / (o.wide * o.high + EPS);
  },
  distance_box_iou_loss: (p, t) => {
    const o = overlap(p, t);
    return 1 - o.iou + o.distance;
  },
  complete_box_iou_loss: (p, t, held) => {
    const o = overlap(p, t);
    const weight = shape(held, t) / (1 - overlap(held, t).iou + shape(held, t) + EPS);
    return 1 - o.iou + o.distance + weight * shape(p, t);
  },
  efficient_box_iou_loss: (p, t) => {
    const o = overlap(p, t);
    return 1 - o.iou + o.distance + o.width ** 2 / (o.wide ** 2 + EPS) + o.height ** 2 / (o.high ** 2 + EPS);
  },
  normalized_wasserstein_box_loss: (p, t) => {
    const o = overlap(p, t);
    return 1 - Math.exp(-Math.sqrt(o.apart + (o.width ** 2 + o.height ** 2) / 4 + EPS) / 12.8);
  },
};

function gradient(loss, p, t) {
  const step = 1e-4;
  return p.map((_, k) => {
    const moved = (by) => p.map((number, j) => (j === k ? number + by : number));
    return (loss(moved(step), t, p) - loss(moved(-step), t, p)) / (2 * step);
  });
}

document.querySelectorAll(".loss-boxes").forEach((frame) => {
  const svg = frame.querySelector("svg");
  const own = LOSSES[frame.dataset.loss];
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const groups = { predicted: svg.querySelector(".predicted"), true: svg.querySelector(".true") };
  const boxes = {};
  for (const [name, group] of Object.entries(groups)) {
    boxes[name] = group.dataset.box.split(" ").map(Number);
  }
  const least = 4;

  const show = () => {
    for (const [name, group] of Object.entries(groups)) {
      const [x1, y1, x2, y2] = boxes[name];
      for (const rect of group.querySelectorAll(".side, .hold")) {
        rect.setAttribute("x", x1);
        rect.setAttribute("y", y1);
        rect.setAttribute("width", x2 - x1);
        rect.setAttribute("height", y2 - y1);
      }
      group.querySelector(".corner").setAttribute("cx", x2);
      group.querySelector(".corner").setAttribute("cy", y2);
      group.dataset.box = boxes[name].join(" ");
      group.setAttribute("aria-label", `${name} box from ${x1}, ${y1} to ${x2}, ${y2}; arrows move it, with shift they size it`);
    }
    const p = boxes.predicted;
    const slopes = gradient(own, p, boxes.true);
    const largest = Math.max(...slopes.map(Math.abs)) || 1;
    const middle = [(p[0] + p[2]) / 2, (p[1] + p[3]) / 2];
    svg.querySelectorAll(".arrow").forEach((line, k) => {
      const start = k % 2 ? [middle[0], p[k]] : [p[k], middle[1]];
      const by = (-24 * slopes[k]) / largest;
      line.setAttribute("x1", start[0]);
      line.setAttribute("y1", start[1]);
      line.setAttribute("x2", start[0] + (k % 2 ? 0 : by));
      line.setAttribute("y2", start[1] + (k % 2 ? by : 0));
    });
    frame.querySelectorAll("td[data-value]").forEach((cell) => {
      cell.textContent = LOSSES[cell.dataset.value](p, boxes.true, p).toFixed(4);
    });
    frame.querySelectorAll("td[data-slope]").forEach((cell) => {
      const slope = gradient(LOSSES[cell.dataset.slope], p, boxes.true);
      cell.textContent = slope.map((number) => number.toFixed(4).replace(/^-(0\.0*)$/, "$1")).join(", ");
    });
  };

  // Move both corners, or the second alone, and keep the box in the drawing and a few pixels large.
  const change = (name, dx, dy, sizes) => {
    const box = boxes[name];
    if (sizes) {
      box[2] = Math.min(width, Math.max(box[0] + least, box[2] + dx));
      box[3] = Math.min(height, Math.max(box[1] + least, box[3] + dy));
    } else {
      const x = Math.min(width - box[2], Math.max(-box[0], dx));
      const y = Math.min(height - box[3], Math.max(-box[1], dy));
      boxes[name] = [box[0] + x, box[1] + y, box[2] + x, box[3] + y];
    }
    show();
  };

  for (const [name, group] of Object.entries(groups)) {
    group.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2] }[event.key];
      if (step) {
        event.preventDefault();
        change(name, ...step, event.shiftKey);
      }
    });
    group.addEventListener("pointerdown", (event) => {
      const scale = width / svg.getBoundingClientRect().width;
      const sizes = event.target.classList.contains("corner");
      let last = [event.clientX, event.clientY];
      let rest = [0, 0];
      const move = (moved) => {
        rest = [rest[0] + (moved.clientX - last[0]) * scale, rest[1] + (moved.clientY - last[1]) * scale];
        last = [moved.clientX, moved.clientY];
        const whole = rest.map(Math.trunc);
        rest = [rest[0] - whole[0], rest[1] - whole[1]];
        change(name, ...whole, sizes);
      };
      const stop = () => {
        group.removeEventListener("pointermove", move);
      };
      group.setPointerCapture(event.pointerId);
      group.addEventListener("pointermove", move);
      group.addEventListener("pointerup", stop, { once: true });
      group.addEventListener("pointercancel", stop, { once: true });
      group.focus({ preventScroll: true });
      event.preventDefault();
    });
  }
  frame.hidden = false;
  show();
});
