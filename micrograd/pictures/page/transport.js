// Buttons, slider and speed: walking through the steps of the pass.

const STEPS_PER_SECOND = { slow: 0.5, normal: 1, fast: 4, fastest: 20 };

const makeTransport = (app, graph) => {
  const scrub = byId("scrub");
  const speed = byId("speed");
  const play = byId("play");
  let timer = null;

  scrub.max = String(graph.lastStep);
  scrub.addEventListener("input", () => goTo(Number(scrub.value)));

  const goTo = (step) => {
    pause();
    app.change({ step: Math.min(graph.lastStep, Math.max(0, step)) });
  };

  const isPlaying = () => timer !== null;

  const pause = () => {
    if (!isPlaying()) return;
    clearTimeout(timer);
    timer = null;
    play.textContent = "Play";
    app.change({ isPlaying: false });
  };

  const tick = () => {
    const { step } = app.state();
    if (step >= graph.lastStep) return pause();
    app.change({ step: step + 1 });
    timer = setTimeout(tick, 1000 / STEPS_PER_SECOND[speed.value]);
  };

  const start = () => {
    const { step } = app.state();
    play.textContent = "Pause";
    app.change({ isPlaying: true, step: step >= graph.lastStep ? 0 : step });
    timer = setTimeout(tick, 1000 / STEPS_PER_SECOND[speed.value]);
  };

  const moves = {
    first: () => goTo(0),
    back: () => goTo(app.state().step - 1),
    play: () => (isPlaying() ? pause() : start()),
    forward: () => goTo(app.state().step + 1),
    last: () => goTo(graph.lastStep),
  };
  for (const [id, move] of Object.entries(moves)) byId(id).addEventListener("click", move);

  const render = (state, before) => {
    if (state.step === before.step && state.pass === before.pass) return;
    const words = stepWords(graph, state.pass, state.step);
    scrub.value = String(state.step);
    scrub.setAttribute("aria-valuetext", words);
    setText(byId("phase"), phaseOf(graph, state.step));
    setText(byId("words"), words);
    // aria-disabled, not disabled: the focus stays where it is at the last step.
    for (const id of ["first", "back"]) byId(id).setAttribute("aria-disabled", String(state.step === 0));
    for (const id of ["forward", "last"]) byId(id).setAttribute("aria-disabled", String(state.step === graph.lastStep));
  };

  return { render, ...moves };
};
