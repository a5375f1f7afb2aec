// Makes the tool that proposes, with the server behind it. Brought when the tool is first taken.
import { AssistTool } from "../canvas/assist.js";
import { askProposal } from "../live/propose.js";

/** @param {any} editor @param {string} address of the document @param {string[]} [models] */
export function assistTool(editor, address, models) {
  return new AssistTool(editor, (body, signal) => askProposal(`${address}propose/`, body, signal), models);
}
