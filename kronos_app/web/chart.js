// Read-out, crosshair, buttons and gestures of charts. Plotly draws; this reads its figure and uses its buttons.
// The figure brings texts in layout.meta.kronos and says in each trace's meta.read how its values are read out.
{
  const CHARTS = ".js-plotly-plot";
  const GAP = 8; // pixels between two labels of time
  const NARROW = 640; // pixels; the read-out of a narrower chart is above it
  const BUTTONS = {
    in: ["+", '[data-attr="zoom"][data-val="in"]'],
    out: ["−", '[data-attr="zoom"][data-val="out"]'],
    reset: ["↺", '[data-attr="zoom"][data-val="reset"]'],
    full: ["", '[data-title$="ullscreen"]'],
    png: ["PNG", '[data-title^="Download plot"]'],
    svg: ["SVG", '[data-title^="Download plot"]'],
  };

  const add = (parent, tag, name, text = "") => {
    const element = document.createElement(tag);
    element.className = `kronos-${name}`;
    element.textContent = text;
    parent.append(element);
    return element;
  };

  // One over each chart; made again when Plotly has emptied its element.
  class Overlay {
    constructor(chart) {
      this.chart = chart;
      this.root = add(chart.querySelector(".svg-container"), "div", "overlay");
      this.readout = add(this.root, "div", "readout");
      this.tools = add(this.root, "div", "tools");
      [this.across, this.down] = ["across", "down"].map((name) => add(this.root, "div", name));
      [this.price, this.time] = ["price", "time"].map((name) => add(this.root, "div", `tag kronos-${name}`));
      for (const element of [this.readout, this.across, this.down, this.price, this.time]) element.ariaHidden = "true";
      for (const [name, [sign, target]] of Object.entries(BUTTONS)) {
        const button = add(this.tools, "button", "tool", sign);
        button.type = "button";
        button.dataset.tool = name;
        button.onclick = () => this.press(name, target);
      }
      chart.addEventListener("pointermove", (event) => this.point(event));
      chart.addEventListener("pointerdown", (event) => this.point(event));
      chart.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.rest());
      chart.on("plotly_afterplot", () => this.refresh());
      this.refresh();
    }

    get layout() { return this.chart._fullLayout; }

    press(name, target) {
      if (name === "png" || name === "svg") this.chart._context.toImageButtonOptions.format = name;
      this.chart.querySelector(`.modebar-btn${target}`).click();
    }

    // The figure has changed: new texts, values and theme.
    refresh() {
      const words = this.layout.meta?.kronos;
      this.root.hidden = !words;
      this.chart.classList.toggle("kronos-chart", Boolean(words));
      this.chart.classList.toggle("kronos-narrow", Boolean(words) && this.layout.width < NARROW);
      if (!words) return;
      const plot = this.chart.querySelector(".svg-container");
      if (this.root.parentElement !== plot) plot.append(this.root);
      this.words = words;
      this.root.style.fontFamily = getComputedStyle(this.chart.parentElement).fontFamily;
      this.root.style.setProperty("--ink", this.layout.font.color);
      this.root.style.setProperty("--paper", this.layout.paper_bgcolor);
      for (const button of this.tools.children) {
        button.title = button.ariaLabel = words.tools[button.dataset.tool];
      }
      this.places = this.chart._fullData.map((trace) => new Map(Array.from(trace.x ?? [], (label, i) => [label, i])));
      this.thin();
      this.rest();
    }

    // Of labels of time that overlap, the later one is hidden.
    thin() {
      let end = -Infinity;
      for (const label of this.chart.querySelectorAll(".xtick text")) {
        const { left, right } = label.getBoundingClientRect();
        label.style.visibility = left < end + GAP ? "hidden" : "";
        if (left >= end + GAP) end = right;
      }
    }

    // Without a pointer the last values are read out.
    rest() {
      for (const element of [this.across, this.down, this.price, this.time]) element.hidden = true;
      const labels = this.layout.xaxis._categories ?? [];
      this.read(labels[labels.length - 1]);
    }

    point(event) {
      if (!this.words || event.target.closest(".kronos-tools")) return;
      const { xaxis, yaxis, yaxis2 } = this.layout;
      const box = this.root.getBoundingClientRect();
      const x = event.clientX - box.left - xaxis._offset, y = event.clientY - box.top;
      const axis = [yaxis, yaxis2].find((one) => one && y >= one._offset && y <= one._offset + one._length);
      const slot = Math.round(xaxis.p2l(x)), label = xaxis._categories?.[slot];
      if (!axis || x < 0 || x > xaxis._length || label === undefined) return this.rest();
      const bottom = Math.max(...[yaxis, yaxis2].map((one) => (one ? one._offset + one._length : 0)));
      const left = xaxis._offset + xaxis.l2p(slot);
      const place = (element, style) => Object.assign(element, { hidden: false }) && Object.assign(element.style, style);
      place(this.down, { left: `${left}px`, top: `${yaxis._offset}px`, height: `${bottom - yaxis._offset}px` });
      place(this.across, { top: `${y}px`, left: `${xaxis._offset}px`, width: `${xaxis._length}px` });
      place(this.price, { top: `${y}px`, left: `${xaxis._offset + xaxis._length}px` });
      place(this.time, { left: `${left}px`, top: `${bottom}px` });
      this.time.textContent = label;
      const value = axis.p2d(y - axis._offset);
      this.price.textContent = axis === yaxis2 ? this.count(value) : this.number(value);
      this.read(label);
    }

    // The time, one line for each kind of candles, one for lines and bands.
    read(label) {
      this.readout.replaceChildren();
      if (label === undefined) return;
      this.row = add(this.readout, "div", "row");
      add(this.row, "b", "label", label);
      const rest = [];
      let low = null;
      this.chart._fullData.forEach((trace, n) => {
        const i = this.places[n].get(label), kind = trace.meta?.read;
        if (i === undefined || trace.visible !== true) return;
        if (kind === "candle") this.readCandle(trace, i, label);
        else if (kind === "low") low = trace.y[i];
        else if (kind === "high") rest.unshift(`${trace.name} ${this.number(low)} – ${this.number(trace.y[i])}`);
        else if (kind === undefined && Number.isFinite(trace.y?.[i])) rest.push(`${trace.name} ${this.number(trace.y[i])}`);
      });
      if (rest.length && this.row.children.length > 1) this.row = add(this.readout, "div", "row");
      for (const text of rest) add(this.row, "span", "value", text);
    }

    readCandle(trace, i, label) {
      if (this.row.children.length > 1) this.row = add(this.readout, "div", "row");
      const row = this.row;
      add(row, "b", "name", trace.name);
      for (const column of ["open", "high", "low", "close"]) {
        add(row, "span", "value", `${this.words[column]} ${this.number(trace[column][i])}`);
      }
      const change = trace.close[i] / trace.open[i] - 1;
      const side = change < 0 ? trace.decreasing : trace.increasing;
      const percent = { style: "percent", minimumFractionDigits: 2, signDisplay: "exceptZero" };
      add(row, "span", "value", change.toLocaleString(this.words.language, percent)).style.color = side.line.color;
      this.chart._fullData.forEach((bars, n) => {
        const place = this.places[n].get(label);
        if (bars.meta?.read !== "volume" || bars.name !== trace.name || !Number.isFinite(bars.y[place])) return;
        add(row, "span", "value", `${this.words.volume} ${this.count(bars.y[place])}`);
      });
    }

    number(value) {
      const size = Math.abs(value), digits = size >= 10 ? 2 : size >= 0.1 ? 4 : 6;
      const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      return Number.isFinite(value) ? value.toLocaleString(this.words.language, format) : "–";
    }

    count(value) {
      const format = { notation: "compact", maximumFractionDigits: 1 };
      return value.toLocaleString(this.words.language, format).replace(/(\d)([\u4e00-\u9fff])/, "$1 $2");
    }
  }

  const overlays = new WeakMap();
  const attach = () => {
    for (const chart of document.querySelectorAll(CHARTS)) {
      if (chart._fullLayout && chart.on && !overlays.has(chart)) overlays.set(chart, new Overlay(chart));
    }
  };
  new MutationObserver(attach).observe(document.documentElement, { childList: true, subtree: true });
  attach();

  // The wheel and one finger scroll the page; Plotly gets the wheel with Ctrl or Command, and two fingers.
  const leave = (event) => event.target.closest?.(CHARTS) && event.stopPropagation();
  addEventListener("wheel", (event) => event.ctrlKey || event.metaKey || leave(event), { capture: true, passive: true });
  for (const name of ["touchstart", "touchmove"]) {
    addEventListener(name, (event) => event.touches.length > 1 || leave(event), { capture: true, passive: true });
  }
}
