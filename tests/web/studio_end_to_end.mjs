// From nothing to a bundle, as a person does it in the studio's page: classes made and recorded, trained, tried, taken away.
//
//     node studio_end_to_end.mjs PLAN.json
//
// PLAN: {address, camera, presses: [{label, film, by: "mouse" or "space", photos}], tries: [{label, film, seconds}], task}; `camera`:
// the file that Chromium takes for a camera, `task`: where the bundle is put. Prints JSON: {presses: [what the page said],
// counted: {label: photos}, seconds: from the click on Train until the run is finished, accuracy: what the page says of it,
// tries: [see studio_steps.mjs: watchAnswer], said, errors, refused}.

import { readFileSync } from "node:fs";
import { withStudio } from "./studio.mjs";
import {
  addClass, downloadTask, fakeCamera, photosOf, record, startCamera, stopCamera, train, turnTo, watchAnswer,
} from "./studio_steps.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const camera = fakeCamera(plan.camera);
camera.show(plan.presses[0].film);

const window = { width: 960, height: 720 }; // a small one is drawn in less time, where no graphics card does it
const seen = await withStudio(plan.address, { film: camera.place, ...window }, async (page) => {
  const labels = [...new Set(plan.presses.map(({ label }) => label))];
  for (const label of labels) if (label !== "none") await addClass(page, label);
  const presses = [];
  for (const press of plan.presses) {
    camera.show(press.film);
    await startCamera(page);
    presses.push(await record(page, press.label, press));
  }
  const counted = {};
  for (const label of labels) counted[label] = await photosOf(page, label);
  await stopCamera(page);
  const trained = await train(page);
  await turnTo(page, "try");
  const tries = [];
  for (const { label, film, seconds } of plan.tries) {
    camera.show(film);
    await startCamera(page);
    tries.push({ label, ...(await watchAnswer(page, label, seconds)) });
  }
  await downloadTask(page, plan.task);
  return { presses, counted, ...trained, tries };
});
const { answer, ...rest } = seen;
process.stdout.write(JSON.stringify({ ...answer, ...rest }));
