// What a browser shows and keeps of the studio's address and key once the page is there; printed as JSON.
//
//     node tests/web/studio_address.mjs ADDRESS

import { withStudio } from "./studio.mjs";

const told = await withStudio(process.argv[2], {}, async (page, context) => {
  const asked = [];
  page.on("request", (request) => asked.push({ url: request.url(), referrer: request.headers().referer ?? "" }));
  const place = await page.evaluate(() => location.href);
  const cookies = await page.evaluate(() => document.cookie);
  await page.reload();
  await page.waitForSelector("#content > section");
  const title = await page.title();
  return { place, cookies, title, asked, kept: await context.cookies() };
});
console.log(JSON.stringify(told));
