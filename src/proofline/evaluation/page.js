
"use strict";
// The filter of the items and what unfolds in them. Every text goes in as text, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data-items").textContent);
  const [form, count, list] = ["filter", "count", "list"].map((id) => document.getElementById(id));
  const boxes = [...list.children];
  const RIGHT = 1, SHOWS = 2, ACCEPTED = 4, CUT_OFF = 8;
  const at = (policy) => data.policies.indexOf(policy);
  const greedy = (item, policy, flag) => at(policy) >= 0 && Boolean(item.g[at(policy)][0] & flag);
  const flagged = (row, flag) => Boolean(row[0] & flag);

  // As ITEM_CONDITIONS and CANDIDATE_CONDITIONS of items.py.
  const ofItem = {
    benchmark: (item, value) => item.b === value,
    right: (item, policy) => greedy(item, policy, RIGHT),
    wrong: (item, policy) => at(policy) >= 0 && !greedy(item, policy, RIGHT),
    shows: (item, policy) => greedy(item, policy, SHOWS),
    hides: (item, policy) => at(policy) >= 0 && !greedy(item, policy, SHOWS),
    any: (item, policy) => item.r[at(policy)] > 0,
    mixed: (item, policy) => item.r[at(policy)] > 0 && item.r[at(policy)] < data.samples,
    more: (item, policies) => item.r[at(policies.split("~")[0])] > item.r[at(policies.split("~")[1])],
    picked: (item, value) => (item.k > 0) === (value === "right"),
  };
  const ofCandidate = {
    graded: (row, value) => flagged(row, RIGHT) === (value === "right"),
    genrm: (row, value) => flagged(row, ACCEPTED) === (value === "accepted"),
    steps: (row, value) => flagged(row, SHOWS) === (value === "shown"),
  };
  const title = (policy) => data.titles[policy] || policy;
  const words = {
    benchmark: (value) => data.benchmarks[value] || value,
    right: (value) => `${title(value)} right`,
    wrong: (value) => `${title(value)} wrong`,
    shows: (value) => `${title(value)} shows its steps`,
    hides: (value) => `${title(value)} does not show its steps`,
    any: (value) => `a sample of ${title(value)} is right`,
    mixed: (value) => `samples of ${title(value)} are right and wrong`,
    more: (value) => `${value.split("~").map(title).join(" has more right samples than ")}`,
    picked: (value) => `best of its samples by GenRM ${value}`,
    graded: (value) => `samples that are ${value}`,
    genrm: (value) => `samples ${value} by GenRM`,
    steps: (value) => (value === "shown" ? "samples that show their steps" : "samples that do not show their steps"),
  };

  function conditions() {
    const [anchor, query] = location.hash.slice(1).split(/\?(.*)/s);
    if (anchor !== "items") return [];
    return [...new URLSearchParams(query || "")].filter(([name]) => Object.hasOwn(words, name));
  }

  // The item's candidates that are asked for; null where the item itself is not.
  function selected(item, query) {
    if (!query.every(([name, value]) => !ofItem[name] || ofItem[name](item, value))) return null;
    const asked = query.filter(([name]) => ofCandidate[name]);
    const kept = item.c.filter((row) => asked.every(([name, value]) => ofCandidate[name](row, value)));
    return kept.length || !asked.length ? kept : null;
  }

  function element(tag, className, ...content) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...content);
    return made;
  }

  const text = (position) => data.texts[position];

  // One solution: whose it is, what the graders say, its text, where it comes from.
  function solution(row, who, weights, decoding, marked) {
    const [flags, id, seed, body, verdict, reason, grader, second, secondReason, secondGrader] = row;
    const box = element("div", marked ? "solution hit" : "solution");
    box.append(element("p", "who", `${who}: `, element("span", text(verdict), text(verdict)),
      flags & CUT_OFF ? ", cut off" : "", marked ? " — asked for" : ""));
    box.append(element("pre", "", text(body)));
    box.append(element("p", "said", `${text(grader)}: ${text(verdict)}, ${text(reason)}`));
    if (text(second)) {
      box.append(element("p", "said", `${text(secondGrader)}: ${text(second)}${text(secondReason) && ", "}${text(secondReason)}`));
    }
    box.append(element("p", "lineage", `solution ${id}, weights ${weights}, seed ${text(seed)}, ${decoding}. `,
      element("code", "", `proofline explain sample ${id}`)));
    return box;
  }

  function unfold(box) {
    const item = data.items[boxes.indexOf(box)], query = conditions();
    const asked = query.some(([name]) => ofCandidate[name]);
    const kept = asked ? selected(item, query) || [] : [];
    box.querySelectorAll(":scope > .unfolded").forEach((old) => old.remove());
    const inside = element("div", "unfolded");
    data.policies.forEach((policy, position) =>
      inside.append(solution(item.g[position], `${title(policy)}, greedy`, data.weights[policy], data.greedy)));
    const right = data.policies.map((policy, position) => `${title(policy)} ${item.r[position]}`).join(", ");
    inside.append(element("p", "said", `Right of ${data.samples} samples: ${right}.`));
    item.c.forEach((row, position) => {
      const name = `${title(data.verified)}, sample ${position}`;
      const one = solution(row, name, data.weights[data.verified], data.sampled, kept.includes(row));
      const [pYes, chain] = row.slice(-2);
      const verdict = pYes === null ? "no verdict" : `P(Yes) ${pYes}, ${row[0] & ACCEPTED ? "accepted" : "rejected"}`;
      const chains = element("details", "", element("summary", "",
        `${title("genrm")} (weights ${data.weights.genrm}): ${verdict}; first of ${data.chains} chains`));
      chains.append(text(chain)
        ? element("pre", "", text(chain))
        : element("p", "said", "Not in this page: see reports/verify/verifications.jsonl."));
      one.append(chains);
      inside.append(one);
    });
    box.append(inside);
  }

  function show() {
    const query = conditions();
    const asked = query.some(([name]) => ofCandidate[name]);
    let problems = 0, samples = 0;
    data.items.forEach((item, position) => {
      const kept = selected(item, query);
      boxes[position].hidden = kept === null;
      if (kept !== null) problems += 1;
      if (kept !== null && asked) samples += kept.length;
      if (boxes[position].open) unfold(boxes[position]);
    });
    const also = query.map(([name, value]) => words[name](value)).join("; ");
    count.replaceChildren(
      `${asked ? `${samples} samples in ` : ""}${problems} of ${boxes.length} problems`,
      ...(also ? [element("span", "also", also)] : []));
    for (const field of form.elements) {
      if (field.name) field.value = formValue(field, query);
    }
    if (location.hash.startsWith("#items?") && !form.contains(document.activeElement)) {
      const heading = document.getElementById("items");
      heading.tabIndex = -1; // whoever came by a link goes on from here, by keyboard too
      heading.focus();
      heading.scrollIntoView();
    }
    const named = boxes.find((box) => `#${box.id}` === location.hash);
    if (named) {
      named.open = true;
      named.scrollIntoView();
    }
  }

  function formValue(field, query) {
    const of = (name) => (query.find(([one]) => one === name) || [])[1] || "";
    if (field.name === "candidates") return of("graded") && of("genrm") ? `${of("graded")} ${of("genrm")}` : "";
    if (!("policy" in field.dataset)) return of(field.name);
    return (query.find(([name, value]) => ["right", "wrong"].includes(name) && value === field.name) || [""])[0];
  }

  // What the form holds replaces the conditions that it knows; the others, which came with a link, stay.
  function filter() {
    const known = ["benchmark", "right", "wrong", "graded", "genrm"];
    const query = conditions().filter(([name]) => !known.includes(name));
    for (const field of form.elements) {
      if (!field.name || !field.value) continue;
      if (field.name === "candidates") {
        const [graded, verdict] = field.value.split(" ");
        query.push(["graded", graded], ["genrm", verdict]);
      } else query.push("policy" in field.dataset ? [field.value, field.name] : [field.name, field.value]);
    }
    location.hash = `items?${new URLSearchParams(query)}`;
  }

  boxes.forEach((box) => box.addEventListener("toggle", () => box.open && unfold(box)));
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset").addEventListener("click", () => (location.hash = "items?"));
  window.addEventListener("hashchange", show);
  form.hidden = count.hidden = false;
  show();
})();
