/* Conditions by clicks: a tree of groups and tests beside the same condition as CEL. Trees are those of governance/engine/builder.py. */
"use strict";

window.Workbench = (() => {
  let words = {};
  const t = (text, values = {}) =>
    Object.entries(values).reduce((made, [name, value]) => made.replaceAll(`{${name}}`, value), words[text] || text);

  /* An element: h("p", {class: "x", onclick: f}, "text", child). Text is always text, never HTML. */
  function h(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "value") made.value = value;
      else if (name === "html") made.innerHTML = value; // only what our own server has escaped
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  }

  let counter = 0;
  const unique = (stem) => `${stem}-${(counter += 1)}`;

  const icon = (name) => h("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, name);

  function button(label, onclick, { name = "", kind = "", hidden = false } = {}) {
    return h(
      "button",
      { type: "button", class: `console-button wb-button ${kind}`, onclick, "aria-label": hidden ? label : null, title: hidden ? label : null },
      name ? icon(name) : null,
      hidden ? null : label,
    );
  }

  function select(options, value, onchange, attributes = {}) {
    const made = h("select", { class: "wb-input", ...attributes, onchange: (event) => onchange(event.target.value) });
    for (const option of options) {
      if (option.group) {
        made.append(h("optgroup", { label: option.group }, option.options.map(([code, label]) => h("option", { value: code }, label))));
      } else made.append(h("option", { value: option[0] }, option[1]));
    }
    made.value = value;
    return made;
  }

  /* --- what may be asked of a field, by its type ------------------------------------------------------------------ */
  const COMPARE = { eq: "is", ne: "is not", lt: "<", le: "≤", gt: ">", ge: "≥" };
  const NUMBERS = { eq: "=", ne: "≠", lt: "<", le: "≤", gt: ">", ge: "≥" };
  const TIMES = { lt: "is before", le: "is not after", gt: "is after", ge: "is not before" };
  const PLAIN = ["is_true", "is_false", "is_null", "is_not_null", "is_present", "is_missing"];
  const LABELS = {
    in: "is one of", not_in: "is none of", includes: "includes", contains: "contains", starts_with: "begins with", ends_with: "ends with",
    matches: "matches the pattern", is_true: "is true", is_false: "is false", is_null: "is empty (null)", is_not_null: "is not empty (null)",
    is_present: "is there", is_missing: "is missing",
  };
  const FORMS = { number: "as a number", length: "length", time: "as a time", hour: "hour of day, local", weekday: "day of week, local (0 Sunday)" };
  const keys = (form, names) => names.map((name) => `${form}|${name}`);
  const EVERY = ["|is_present", "|is_missing", "|is_null", "|is_not_null"];
  const OFFERED = {
    text: [...keys("", ["eq", "ne", "in", "not_in", "contains", "starts_with", "ends_with", "matches"]), ...EVERY, "length|ge", "length|le", "time|lt", "time|gt"],
    number: [...keys("", ["ge", "gt", "le", "lt", "eq", "ne", "in", "not_in"]), ...EVERY],
    count: keys("", ["ge", "gt", "le", "lt", "eq", "ne"]),
    bool: [...keys("", ["eq", "ne", "is_true", "is_false"]), ...EVERY],
    list: [...keys("", ["includes"]), "length|ge", "length|le", "length|eq", ...EVERY],
    object: EVERY,
    time: [...keys("", ["lt", "le", "gt", "ge"]), "hour|lt", "hour|ge", "weekday|eq"],
    unknown: [...keys("", ["eq", "ne", "ge", "gt", "le", "lt", "in", "not_in", "contains", "is_true", "is_false"]), ...EVERY],
  };

  function operationLabel(key, kind) {
    const [form, operation] = key.split("|");
    const compare = kind === "time" || form === "time" ? { ...COMPARE, ...TIMES } : kind === "text" && !form ? COMPARE : NUMBERS;
    const label = compare[operation] ? t(kind === "bool" ? COMPARE[operation] || operation : compare[operation]) : t(LABELS[operation] || operation);
    return form ? `${t(FORMS[form])} ${label}` : label;
  }

  /* What a test's value may be, by the kind of its field and what is compared. */
  function valueTypes(kind, test) {
    if (PLAIN.includes(test.op)) return [];
    if (["in", "not_in"].includes(test.op)) return kind === "unknown" ? ["text", "number"] : [kind === "text" ? "text" : "number"];
    if (["hour", "weekday", "length"].includes(test.as)) return ["whole"];
    if (test.as === "number") return ["decimal", "field"];
    if (test.as === "time" || kind === "time") return ["ago", "time", "field"];
    if (test.op === "matches") return ["text"];
    if (test.op === "includes") return ["text", "number", "bool"];
    return { text: ["text", "field"], number: ["number", "field"], count: ["number", "field"], bool: ["bool", "field"] }[kind] || ["text", "number", "bool", "field"];
  }

  const TYPE_LABELS = { text: "a text", number: "a number", whole: "a number", decimal: "a number", bool: "yes or no", field: "another field", ago: "time before the signal", time: "a date" };
  const asChosen = (type) => (["whole", "decimal"].includes(type) ? "number" : type);

  /* --- the editor of one condition ---------------------------------------------------------------------------------- */
  /* options: where (the field of the rule), label, fields() → [{path, kind, group, label, examples}], editable,
     onTree(tree), onSource(text), onFocus() */
  class Condition {
    constructor(options) {
      this.options = options;
      this.tree = { kind: "group", join: "all", items: [] };
      this.readable = true;
      this.problems = [];
      this.source = h("textarea", {
        class: "wb-source", id: unique("cel"), rows: 2, spellcheck: "false", autocapitalize: "off", autocomplete: "off",
        "aria-label": t("{label} as CEL", { label: options.label }), "data-where": options.where, readonly: !options.editable,
        oninput: () => { this.size(); this.mark([]); options.onSource(this.source.value); },
        onscroll: () => { this.marks.scrollTop = this.source.scrollTop; },
      });
      this.marks = h("div", { class: "wb-marks", "aria-hidden": "true" });
      this.told = h("div", { class: "wb-told", role: "status" });
      this.builder = h("div", { class: "wb-builder", role: "group", "aria-label": t("{label} by clicks", { label: options.label }) });
      this.element = h(
        "div", { class: "wb-condition" },
        this.builder,
        h("div", { class: "wb-cel" }, h("p", { class: "wb-label" }, "CEL ", h("span", { class: "wb-faint" }, t("the same, as text"))),
          h("div", { class: "wb-code" }, this.marks, this.source), this.told),
      );
      // Another width, or coming into sight, asks for another height.
      new ResizeObserver(() => { if (this.source.clientWidth !== this.width) { this.width = this.source.clientWidth; this.size(); } }).observe(this.source);
    }

    size() {
      this.source.style.height = "auto";
      this.source.style.height = `${Math.max(this.source.scrollHeight + 2, this.options.where === "when" ? 84 : 46)}px`;
    }

    set(source, tree) {
      this.setSource(source);
      this.setTree(tree);
    }

    setSource(source) {
      if (this.source.value !== source) this.source.value = source;
      requestAnimationFrame(() => this.size());
    }

    setTree(tree) {
      this.readable = Boolean(tree);
      if (tree) this.tree = tree;
      this.render();
    }

    /* Underline what is wrong, and say it below with its cure. */
    mark(problems) {
      this.problems = problems;
      const text = this.source.value;
      const pieces = [];
      let at = 0;
      for (const found of [...problems].filter((item) => item.position !== null && item.place === null).sort((a, b) => a.position - b.position)) {
        const start = Math.min(Math.max(found.position, at), text.length);
        const end = Math.min(Math.max(found.end || start + 1, start + 1), text.length);
        pieces.push(text.slice(at, start), h("mark", { class: found.hint ? "wb-hint-mark" : "wb-fault-mark" }, text.slice(start, end) || " "));
        at = Math.max(end, start);
      }
      this.marks.replaceChildren(...pieces, `${text.slice(at)}\n`);
      this.told.replaceChildren(...problems.filter((item) => item.place === null).map((found) => this.telling(found)));
      for (const row of this.builder.querySelectorAll(".wb-row-told")) row.remove();
      for (const found of problems.filter((item) => item.place !== null)) this.tellRow(found);
    }

    telling(found) {
      const place = found.position === null ? null : h(
        "button", { type: "button", class: "wb-place", onclick: () => { this.source.focus(); this.source.setSelectionRange(found.position, found.end || found.position + 1); } },
        t("character {place}", { place: found.position + 1 }),
      );
      return h("p", { class: found.hint ? "wb-hint" : "wb-fault" }, icon(found.hint ? "lightbulb" : "error"),
        h("span", {}, h("b", {}, found.message), found.cure ? ` ${found.cure}` : "", " ", place));
    }

    tellRow(found) {
      let place = found.place;
      let row = null;
      while (!(row = this.builder.querySelector(`[data-place="${CSS.escape(place)}"]`)) && place) place = place.replace(/\.?[^.]*$/, "");
      (row || this.builder).append(h("p", { class: "wb-fault wb-row-told" }, icon("error"), h("span", {}, found.message)));
    }

    /* --- the tree as HTML --- */
    render(focus = "") {
      const within = this.builder.contains(document.activeElement) ? document.activeElement.dataset.key : "";
      this.builder.replaceChildren(
        this.readable ? "" : h("p", { class: "wb-unreadable" }, icon("info"), t("The text cannot be read yet. Put it right, and it is shown here again.")),
        this.group(this.tree, "", this.options.fields(), null),
      );
      this.builder.classList.toggle("wb-stale", !this.readable);
      const wanted = focus || within;
      if (wanted) {
        const found = this.builder.querySelector(`[data-key="${CSS.escape(wanted)}"]`);
        if (found) found.focus();
      }
      this.mark(this.problems);
    }

    changed(structure = false, focus = "") {
      this.readable = true;
      this.builder.classList.remove("wb-stale");
      if (structure) this.render(focus);
      this.options.onTree(this.tree);
    }

    group(group, place, fields, remove) {
      const at = (index) => (place ? `${place}.items[${index}]` : `items[${index}]`);
      const add = (item) => { group.items.push(item); this.changed(true, `${at(group.items.length - 1)}#first`); };
      const join = select(
        [["all", t("All of these hold")], ["any", t("At least one of these holds")], ["none", t("None of these holds")]],
        group.join, (value) => { group.join = value; this.changed(); },
        { "aria-label": t("How these go together"), "data-key": `${place}#join`, disabled: !this.options.editable },
      );
      const rows = group.items.map((item, index) => this.item(item, at(index), fields, () => { group.items.splice(index, 1); this.changed(true, `${place}#join`); }));
      return h(
        "div", { class: `wb-group wb-join-${group.join}`, role: "group", "data-place": place },
        h("div", { class: "wb-group-head" }, join, remove ? this.remover(remove, t("Remove this group")) : null),
        h("div", { class: "wb-items" }, rows, group.items.length ? null : h("p", { class: "wb-faint wb-nothing" }, t("Nothing yet. Add the first condition."))),
        this.options.editable ? this.adders(add, fields) : null,
      );
    }

    adders(add, fields) {
      const test = () => ({ kind: "test", field: "", as: "", op: "eq", type: null, value: "" });
      const more = select(
        [["", t("More…")], ["ratio", t("Ratio of two numbers")], ["each", t("Items of a list")], ["expression", t("Expression in CEL")]], "",
        (value) => {
          if (value === "ratio") add({ kind: "ratio", field: "", over: "", scale: null, op: "ge", value: "", form: "product" });
          if (value === "each") add({ kind: "each", field: "", quantifier: "some", name: "item", condition: { kind: "group", join: "all", items: [test()] } });
          if (value === "expression") add({ kind: "expression", source: "" });
        },
        { class: "wb-input wb-more", "aria-label": t("Add something else") },
      );
      return h("div", { class: "wb-adders" },
        button(t("Condition"), () => add(test()), { name: "add" }),
        button(t("Group"), () => add({ kind: "group", join: "any", items: [test()] }), { name: "add" }), more);
    }

    remover(remove, label = t("Remove")) {
      return this.options.editable ? button(label, remove, { name: "close", kind: "wb-bare", hidden: true }) : null;
    }

    item(item, place, fields, remove) {
      if (item.kind === "group") return this.group(item, place, fields, remove);
      const made = { test: this.test, ratio: this.ratio, each: this.each, expression: this.expression }[item.kind].call(this, item, place, fields);
      return h("div", { class: `wb-row wb-row-${item.kind}`, "data-place": place }, made, this.remover(remove, t("Remove this condition")));
    }

    fieldSelect(value, fields, place, onchange, { label = t("Field"), wanted = null, key = "first" } = {}) {
      const offered = fields.filter((field) => !wanted || wanted.includes(field.kind) || field.path === value);
      const groups = new Map();
      for (const field of offered) {
        if (!groups.has(field.group)) groups.set(field.group, []);
        groups.get(field.group).push([field.path, field.label]);
      }
      const options = [["", t("Choose a field…")]];
      for (const [group, rows] of groups) options.push({ group, options: rows });
      const known = !value || offered.some((field) => field.path === value);
      if (!known) options.push({ group: t("Written by hand"), options: [[value, value]] });
      options.push({ group: t("Not in the list"), options: [["…other", t("Another field…")]] });
      const made = select(options, value, (chosen) => {
        if (chosen !== "…other") return onchange(chosen);
        const typed = h("input", {
          class: "wb-input wb-field", value: value || "signal.", "aria-label": label, disabled: !this.options.editable,
          onchange: (event) => onchange(event.target.value.trim()),
        });
        made.replaceWith(typed);
        typed.focus();
        return undefined;
      }, { class: "wb-input wb-field", "aria-label": label, "data-key": `${place}#${key}`, disabled: !this.options.editable });
      return made;
    }

    kindOf(path, fields) {
      const found = fields.find((field) => field.path === path);
      return found ? found.kind : "unknown";
    }

    test(test, place, fields) {
      const kind = this.kindOf(test.field, fields);
      const key = `${test.as}|${test.op}`;
      const offered = OFFERED[kind].includes(key) ? OFFERED[kind] : [key, ...OFFERED[kind]];
      const field = this.fieldSelect(test.field, fields, place, (value) => {
        const next = this.kindOf(value, fields);
        const fresh = !test.field;
        test.field = value;
        if (fresh || !OFFERED[next].includes(`${test.as}|${test.op}`)) [test.as, test.op] = OFFERED[next][0].split("|");
        this.settle(test, next);
        this.changed(true, `${place}#op`);
      });
      const operation = select(
        offered.map((name) => [name, operationLabel(name, kind)]), key,
        (value) => { [test.as, test.op] = value.split("|"); this.settle(test, kind); this.changed(true, `${place}#value`); },
        { class: "wb-input wb-op", "aria-label": t("Comparison"), "data-key": `${place}#op`, disabled: !this.options.editable },
      );
      return h("div", { class: "wb-test" }, field, operation, this.value(test, kind, place, fields));
    }

    /* After another field or operation was chosen: the value keeps as much as still makes sense. */
    settle(test, kind) {
      const types = valueTypes(kind, test);
      if (!types.length) { test.type = null; test.value = null; return; }
      const many = ["in", "not_in"].includes(test.op);
      const chosen = asChosen(test.type);
      if (!test.type || !types.map(asChosen).includes(chosen)) {
        test.type = types[0];
        test.value = test.type === "bool" ? true : many ? [] : "";
      }
      if (test.as === "number" && chosen === "number") test.type = "decimal";
      if (many && !Array.isArray(test.value)) test.value = test.value === "" || test.value === null ? [] : [test.value];
      if (!many && Array.isArray(test.value)) test.value = test.value.length ? test.value[0] : "";
    }

    value(test, kind, place, fields) {
      const types = valueTypes(kind, test);
      if (!types.length) return h("span", {});
      const editable = this.options.editable;
      const attributes = { "aria-label": t("Value"), "data-key": `${place}#value`, disabled: !editable };
      const put = (value) => { test.value = value; this.changed(); };
      const chosen = asChosen(test.type || types[0]);
      const field = fields.find((known) => known.path === test.field);
      let input;
      if (["in", "not_in"].includes(test.op)) input = this.manyValues(test, chosen, attributes, field);
      else if (chosen === "bool") input = select([["true", t("yes")], ["false", t("no")]], String(test.value), (value) => put(value === "true"), attributes);
      else if (chosen === "field") input = this.fieldSelect(test.value || "", fields, place, put, { label: t("Other field"), key: "value" });
      else if (chosen === "time") input = h("input", { class: "wb-input", ...attributes, value: test.value || "", placeholder: "2026-01-31T00:00:00Z", oninput: (event) => put(event.target.value.trim()) });
      else if (chosen === "ago") input = h("input", { class: "wb-input wb-short", ...attributes, value: test.value || "", placeholder: "14d", oninput: (event) => put(event.target.value.trim()) });
      else if (chosen === "number") input = this.numberInput(test, kind, attributes, field);
      else input = this.textInput(test, attributes, field, put);
      if (types.length < 2) return input;
      const type = select(
        types.map((name) => [asChosen(name), t(TYPE_LABELS[name])]), chosen,
        (value) => { test.type = value; test.value = value === "bool" ? true : ""; this.changed(true, `${place}#value`); },
        { class: "wb-input wb-type", "aria-label": t("Compared with"), "data-key": `${place}#type`, disabled: !editable },
      );
      return h("span", { class: "wb-value" }, input, type);
    }

    textInput(test, attributes, field, put) {
      const examples = field && field.examples ? field.examples.filter((value) => typeof value === "string") : [];
      const list = examples.length ? unique("values") : null;
      return h("span", { class: "wb-with-list" },
        h("input", { class: "wb-input", ...attributes, value: test.value === null ? "" : test.value, list, oninput: (event) => put(event.target.value) }),
        list ? h("datalist", { id: list }, examples.map((value) => h("option", { value }))) : null);
    }

    numberInput(test, kind, attributes, field) {
      const examples = field && field.examples && field.examples.length ? field.examples.slice(0, 3).join(", ") : "";
      return h("input", {
        class: "wb-input wb-short", ...attributes, inputmode: "decimal", value: test.value === null ? "" : test.value,
        placeholder: examples ? t("such as {examples}", { examples }) : "",
        oninput: (event) => {
          const typed = event.target.value.trim().replace(",", ".");
          const fraction = /[.eE]/.test(typed);
          if (kind === "count" && !test.as && fraction) test.as = "number"; // a count compares with whole numbers only
          if (kind === "count" && test.as === "number" && !fraction) test.as = "";
          test.type = test.as === "number" ? "decimal" : "number";
          test.value = typed;
          this.changed();
        },
      });
    }

    manyValues(test, chosen, attributes, field) {
      const values = Array.isArray(test.value) ? test.value : [];
      const plain = values.every((value) => !String(value).includes(",") && String(value).trim() === String(value));
      const input = h("input", {
        class: "wb-input wb-long", ...attributes, value: plain ? values.join(", ") : JSON.stringify(values), placeholder: t("one, two, three"),
        title: field && field.examples && field.examples.length ? t("such as {examples}", { examples: field.examples.join(", ") }) : null,
        oninput: (event) => {
          let typed = null;
          try { typed = JSON.parse(event.target.value); } catch { typed = null; }
          test.value = Array.isArray(typed) ? typed.map(String) : event.target.value.split(",").map((item) => item.trim()).filter(Boolean);
          test.type = chosen === "number" ? "number" : chosen;
          this.changed();
        },
      });
      return input;
    }

    ratio(ratio, place, fields) {
      const editable = this.options.editable;
      const numbers = { wanted: ["number", "count"] };
      const put = (name) => (value) => { ratio[name] = value; this.changed(); };
      return h(
        "div", { class: "wb-test wb-ratio" },
        this.fieldSelect(ratio.field, fields, place, put("field"), { ...numbers, label: t("Number counted") }),
        h("span", { class: "wb-word" }, t("per")),
        h("input", {
          class: "wb-input wb-short", inputmode: "decimal", "aria-label": t("Per how many"), value: ratio.scale === null ? "1" : ratio.scale, disabled: !editable,
          oninput: (event) => { const typed = event.target.value.trim(); put("scale")(typed === "" || typed === "1" ? null : typed); },
        }),
        h("span", { class: "wb-word" }, t("of")),
        this.fieldSelect(ratio.over, fields, place, put("over"), { ...numbers, label: t("Number it is compared to"), key: "over" }),
        select(Object.entries(NUMBERS), ratio.op, put("op"), { class: "wb-input wb-op", "aria-label": t("Comparison"), disabled: !editable }),
        h("input", { class: "wb-input wb-short", inputmode: "decimal", "aria-label": t("Value"), value: ratio.value === null ? "" : ratio.value, disabled: !editable, oninput: (event) => put("value")(event.target.value.trim()) }),
      );
    }

    each(each, place, fields) {
      const editable = this.options.editable;
      const inner = [
        ...fields.filter((field) => field.path.startsWith(`${each.field}[]`)).map((field) => ({
          ...field, path: field.path.replace(`${each.field}[]`, each.name), label: field.label.replace(/^[^·]*\[\]/, each.name), group: t("The item"),
        })),
        ...fields.filter((field) => !field.path.includes("[]")),
      ];
      if (!inner.some((field) => field.path === each.name)) inner.unshift({ path: each.name, kind: "unknown", label: each.name, group: t("The item"), examples: [] });
      return h(
        "div", { class: "wb-each" },
        h("div", { class: "wb-test" },
          select([["some", t("Some item of")], ["every", t("Every item of")], ["one", t("Exactly one item of")]], each.quantifier,
            (value) => { each.quantifier = value; this.changed(); }, { "aria-label": t("How many items"), disabled: !editable }),
          this.fieldSelect(each.field, fields, place, (value) => { each.field = value; this.changed(true, `${place}#first`); }, { wanted: ["list"], label: t("List") }),
          h("span", { class: "wb-word" }, t("called")),
          h("input", { class: "wb-input wb-short", "aria-label": t("Name of the item"), value: each.name, disabled: !editable, onchange: (event) => { each.name = event.target.value.trim(); this.changed(true); } }),
        ),
        this.group(each.condition, `${place}.condition`, inner, null),
      );
    }

    expression(expression, place) {
      return h("div", { class: "wb-test" }, h("span", { class: "wb-word" }, t("Expression")),
        h("textarea", {
          class: "wb-input wb-expression", rows: 1, spellcheck: "false", "aria-label": t("Expression in CEL"), "data-key": `${place}#first`, readonly: !this.options.editable,
          oninput: (event) => { expression.source = event.target.value; this.changed(); },
        }, expression.source));
    }
  }

  return { h, t, icon, button, select, unique, Condition, say: (given) => { words = given; } };
})();
