// What part of the picture is seen: pan, zoom, fit. The viewBox has always the proportions of the pane.

const ZOOM_STEP = 1.25;
// Scales, in pixels per unit of the picture.
const LARGEST = 4;
const LARGEST_FIT = 1.5; // a small graph does not fill the pane
const READABLE = 0.6;
const DISTANT = 0.35; // below, the texts of edges go
const REMOTE = 0.15; // below, all texts: they would be dust, and slow
const FOLLOWING_PAUSE = 500; // milliseconds between two moves after a pass that plays: each paints everything anew
const CLICK_DISTANCE = 4; // pixels: a longer way of the pointer is a drag

const makeCamera = (svg, pane) => {
  const { width: fullWidth, height: fullHeight, x: left, y: top } = svg.viewBox.baseVal;
  let view = { x: left + fullWidth / 2, y: top + fullHeight / 2, scale: 1 }; // the centre, and pixels per unit
  let isFitted = true;
  let size = { width: 1, height: 1 }; // of the pane; asking for it at every move would cost a layout each time

  const fittingScale = () => Math.min(LARGEST_FIT, 0.96 * Math.min(size.width / fullWidth, size.height / fullHeight));
  const between = (least, x, most) => Math.min(most, Math.max(least, x));
  const possible = (scale) => between(Math.min(fittingScale(), READABLE) / 2, scale, LARGEST);

  const place = (next, fitted = false) => {
    const { width, height } = size;
    const scale = possible(next.scale);
    const x = between(left, next.x, left + fullWidth);
    const y = between(top, next.y, top + fullHeight);
    const moved = x !== view.x || y !== view.y || scale !== view.scale;
    view = { x, y, scale };
    isFitted = fitted;
    const [seenWidth, seenHeight] = [width / scale, height / scale];
    svg.setAttribute("viewBox", [x - seenWidth / 2, y - seenHeight / 2, seenWidth, seenHeight].join(" "));
    svg.classList.toggle("distant", scale < DISTANT);
    svg.classList.toggle("remote", scale < REMOTE);
    return moved;
  };

  const fit = () => place({ x: left + fullWidth / 2, y: top + fullHeight / 2, scale: fittingScale() }, true);

  // Zoom so that the point under (clientX, clientY) stays where it is; by default the centre.
  const zoom = (factor, clientX, clientY) => {
    const frame = pane.getBoundingClientRect();
    const dx = clientX === undefined ? 0 : clientX - frame.left - frame.width / 2;
    const dy = clientY === undefined ? 0 : clientY - frame.top - frame.height / 2;
    const scale = possible(view.scale * factor);
    const shift = 1 / view.scale - 1 / scale;
    place({ x: view.x + dx * shift, y: view.y + dy * shift, scale });
  };

  // Move the window by so many pixels; tells whether there was room to move.
  const pan = (dx, dy) => place({ ...view, x: view.x + dx / view.scale, y: view.y + dy / view.scale });

  const isInView = (box) => {
    const { width, height } = size;
    const reachX = width / view.scale / 2;
    const reachY = height / view.scale / 2;
    return (
      box.x >= view.x - reachX && box.x + box.width <= view.x + reachX &&
      box.y >= view.y - reachY && box.y + box.height <= view.y + reachY
    );
  };

  // Bring a box into view; { readable: true } also zooms in where its texts are too small. Tells whether it moved.
  const show = (box, { readable = false } = {}) => {
    const scale = readable ? Math.max(view.scale, READABLE) : view.scale;
    if (scale === view.scale && isInView(box)) return false;
    return place({ x: box.x + box.width / 2, y: box.y + box.height / 2, scale });
  };

  const measure = () => {
    size = { width: pane.clientWidth || 1, height: pane.clientHeight || 1 };
    if (isFitted) fit();
    else place(view);
  };
  measure();
  new ResizeObserver(measure).observe(pane);
  return { fit, zoom, pan, show };
};

// Drag to pan; the wheel pans like any scrolling pane, and zooms with Ctrl or Command (as a pinch does).
// onClick(target) is called for a press that was no drag.
const steerByPointer = (camera, pane, onClick) => {
  let press = null;
  let wasDrag = false;
  pane.addEventListener("pointerdown", (event) => {
    wasDrag = false;
    if (event.button === 0) press = { x: event.clientX, y: event.clientY };
  });
  pane.addEventListener("pointermove", (event) => {
    if (event.buttons === 0) press = null; // released outside of the window
    if (!press) return;
    const dx = event.clientX - press.x;
    const dy = event.clientY - press.y;
    if (!wasDrag && Math.hypot(dx, dy) < CLICK_DISTANCE) return;
    if (!wasDrag) pane.setPointerCapture(event.pointerId);
    wasDrag = true;
    press = { x: event.clientX, y: event.clientY };
    pane.classList.add("dragging");
    camera.pan(-dx, -dy);
  });
  const release = () => {
    press = null;
    pane.classList.remove("dragging");
  };
  pane.addEventListener("pointerup", release);
  pane.addEventListener("pointercancel", release);
  pane.addEventListener("click", (event) => {
    if (!wasDrag) onClick(event.target);
    wasDrag = false;
  });
  pane.addEventListener(
    "wheel",
    (event) => {
      if (event.ctrlKey || event.metaKey) {
        camera.zoom(Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
        event.preventDefault();
        return;
      }
      const unit = event.deltaMode === 1 ? 16 : 1; // lines or pixels
      const [dx, dy] = event.shiftKey && !event.deltaX ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
      if (camera.pan(dx * unit, dy * unit)) event.preventDefault(); // at the end of the picture the page scrolls
    },
    { passive: false },
  );
};
