// Lines of questions are read as the server reads them: both are tested by one list (tests/web/test_ontology_text.py).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { questionsOf, withIfFound } from "../../static/js/pages/question_lines.js";

const CASES = JSON.parse(readFileSync(new URL("question_lines.json", import.meta.url), "utf-8"));

test("each line is the question that the server makes of it", () => {
  for (const [line, wanted] of CASES) {
    const [{ text, kind, is_required, presupposes_finding, choices }] = questionsOf(`\n${line}\n`);
    assert.deepEqual([text, kind, is_required, presupposes_finding, choices], wanted, line);
  }
});

test("“only if found” is written before the choices or the kind, and taken back", () => {
  for (const [line, withIt] of [["Side *: a | b", "Side * [if found]: a | b"], ["Remark (text)", "Remark [if found] (text)"]]) {
    assert.equal(withIfFound(line, true), withIt);
    assert.equal(withIfFound(withIt, true), withIt);
    assert.equal(withIfFound(withIt, false), line);
  }
});
