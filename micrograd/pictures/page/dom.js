// Small helpers for the page. Text from the graph goes in as text, never as markup.

const byId = (id) => document.getElementById(id);

// element("button", {type: "button"}, "text", child): properties whose names have a dash are attributes.
const element = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
};

const button = (text, onClick, properties = {}) => {
  const made = element("button", { type: "button", ...properties }, text);
  made.addEventListener("click", onClick);
  return made;
};

// Writing the text that is already there would cost a layout for nothing.
const setText = (target, text) => {
  if (target && target.textContent !== text) target.textContent = text;
};

const svgElement = (tag, attributes = {}, text = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
};

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
