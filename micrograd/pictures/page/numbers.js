// Numbers as Python writes them, and the way back from JSON, which has no word for nan and infinity.

const NOT_FINITE = { nan: NaN, inf: Infinity, "-inf": -Infinity };

// null stands for a number that there is none of: a rule that raises gives no derivative.
const decode = (x) => (x === null ? NaN : typeof x === "string" ? NOT_FINITE[x] : x);

// The digits of x in scientific form, ["-", "1234", 5] for -1.234e5. An exact tie goes to the even digit, as in C;
// toExponential would take the larger one.
const scientific = (x, digits) => {
  const parts = (text) => {
    const [, sign, mantissa, exponent] = /^(-?)([\d.]+)e(.*)$/.exec(text);
    return [sign, mantissa.replace(".", ""), Number(exponent)];
  };
  const rounded = parts(x.toExponential(digits - 1));
  if (Number(x.toExponential(digits)) !== x) return rounded;
  const [sign, exact, exponent] = parts(x.toExponential(60));
  const isTie = /^50*$/.test(exact.slice(digits));
  const isEven = "02468".includes(exact[digits - 1]);
  return isTie && isEven ? [sign, exact.slice(0, digits), exponent] : rounded;
};

// "%.4g" for digits = 4; whole numbers below a million in full. Never a false zero.
const formatNumber = (x, digits) => {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Number.isInteger(x) && Math.abs(x) < 1e6) return Object.is(x, -0) ? "-0" : String(x);
  const [sign, figures, exponent] = scientific(x, digits);
  const withPoint = (whole, fraction) => {
    const significant = fraction.replace(/0+$/, "");
    return sign + whole + (significant && `.${significant}`);
  };
  if (exponent < -4 || exponent >= digits) {
    const power = String(Math.abs(exponent)).padStart(2, "0");
    return `${withPoint(figures[0], figures.slice(1))}e${exponent < 0 ? "-" : "+"}${power}`;
  }
  if (exponent < 0) return withPoint("0", "0".repeat(-exponent - 1) + figures);
  return withPoint(figures.slice(0, exponent + 1), figures.slice(exponent + 1));
};

// All digits, as a number field takes them; it has no word for nan and infinity.
const exactText = (x) => (!Number.isFinite(x) ? "" : Object.is(x, -0) ? "-0" : String(x));

// A factor or a term stands in parentheses where its sign could be read as an operator.
const inFormula = (text) => (text.startsWith("-") ? `(${text})` : text);

const signOf = (x) => (x > 0 ? "positive" : x < 0 ? "negative" : x === 0 ? "zero" : "unknown");

const GLYPHS = { positive: "▲", negative: "▼", zero: "●", unknown: "?" };
