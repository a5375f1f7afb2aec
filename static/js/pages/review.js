// The page of one item for whoever looks at its readers: the picture, and where a reviewer decides, its matters.
import { say, start } from "../review/viewer.js";
import "../review/viewer_input.js";
import { startMatters } from "../review/matters.js";

start().then(() => startMatters()).catch((error) => say(error.message));
