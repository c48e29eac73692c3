"""How a report looks: light or dark as the reader's system is, on a phone, a screen, or paper."""

from __future__ import annotations

LIGHT = """\
  --page: 255 255 255; --ink: 27 35 45; --muted: 92 101 113; --line: 222 226 231; --panel: 245 247 249;
  --blue: 37 99 168; --orange: 168 84 12; --red: 185 28 28; --green: 29 122 71; --strong: 255 255 255;
"""
DARK = """\
  --page: 20 23 28; --ink: 230 233 238; --muted: 154 164 178; --line: 47 54 63; --panel: 28 33 40;
  --blue: 110 168 232; --orange: 232 163 92; --red: 242 139 130; --green: 124 196 149; --strong: 16 20 25;
"""
"""Colours as red, green and blue, so that each can be laid on thinly: `rgb(var(--blue) / 30%)`. Text on `--page` and `--panel` has a
contrast of at least 4.5 (WCAG 2.1 AA); a test holds it."""

SHADES = 10
"""Steps in which a confusion matrix is coloured, classes `shade-0` … `shade-10`."""

_SHADES = "".join(
    f".shade-{step} {{ --share: {step * 100 // SHADES}%; }}\n"
    + (f".shade-{step} {{ color: rgb(var(--strong)); }}\n" if step > 0.6 * SHADES else "")
    for step in range(SHADES + 1)
)

STYLE = f"""\
:root {{ color-scheme: light dark;
{LIGHT}}}
@media screen and (prefers-color-scheme: dark) {{ :root {{
{DARK}}} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; }}
body {{ margin: 0 auto; padding: 1.5rem max(1rem, 3vw) 4rem; max-width: 68rem; background: rgb(var(--page));
  color: rgb(var(--ink)); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }}
h1 {{ margin: 0 0 .25rem; font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere; }}
h2 {{ margin: 0 0 .75rem; padding-top: 2rem; font-size: 1.25rem; }}
h3 {{ margin: 1.5rem 0 .5rem; font-size: 1.05rem; overflow-wrap: anywhere; }}
p {{ margin: .5rem 0; max-width: 46rem; overflow-wrap: break-word; }}
.lead {{ font-size: 1.1rem; }}
.note, figcaption, caption, .tiles dt, .tiles span {{ color: rgb(var(--muted)); }}
.note {{ font-size: .9rem; }}
a {{ color: rgb(var(--blue)); }}
a:focus-visible, .scroll:focus-visible {{ outline: 2px solid rgb(var(--blue)); outline-offset: 2px; }}
code {{ font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0 0; padding: .6rem 0; list-style: none;
  border: solid rgb(var(--line)); border-width: 1px 0; font-size: .95rem; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 0 0 1rem; }}
.tiles > div {{ padding: .75rem .9rem; border-radius: .5rem; background: rgb(var(--panel)); }}
.tiles dt {{ font-size: .85rem; }}
.tiles dd {{ margin: 0; }}
.tiles strong {{ display: block; font-size: 1.6rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }}
.tiles span {{ font-size: .85rem; }}
.facts {{ margin: 0 0 1rem; }}
.facts > div {{ display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: 0 1rem; padding: .3rem 0;
  border-bottom: 1px solid rgb(var(--line)); }}
.facts dt {{ color: rgb(var(--muted)); }}
.facts dd {{ margin: 0; overflow-wrap: anywhere; }}
.notes {{ margin: 1rem 0; padding: .75rem 1rem .75rem 2rem; border-left: 4px solid rgb(var(--orange));
  background: rgb(var(--orange) / 10%); border-radius: 0 .5rem .5rem 0; overflow-wrap: break-word; }}
.scroll {{ overflow-x: auto; margin: 1rem 0; }}
table {{ border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums; }}
caption {{ padding-bottom: .4rem; text-align: left; font-size: .9rem; }}
caption span {{ display: inline-block; max-width: min(46rem, calc(100vw - 2rem)); }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid rgb(var(--line)); text-align: left; vertical-align: baseline; }}
thead th {{ color: rgb(var(--muted)); font-weight: 600; }}
tbody th {{ position: sticky; left: 0; background: rgb(var(--page)); font-weight: 500; overflow-wrap: break-word;
  max-width: min(22rem, 45vw); }}
.number {{ text-align: right; white-space: nowrap; }}
thead .number {{ white-space: normal; }}
.matrix th, .matrix td {{ padding: .3rem .4rem; }}
.matrix td {{ min-width: 2.4rem; text-align: center; border: 1px solid rgb(var(--line)); }}
.matrix thead th {{ vertical-align: bottom; text-align: center; max-width: 9rem; overflow-wrap: break-word; white-space: normal; }}
.dense {{ font-size: .75rem; }}
.dense th, .dense td {{ padding: .1rem .15rem; }}
.dense td {{ min-width: 1.4rem; }}
.dense tbody th {{ max-width: 9rem; overflow-wrap: anywhere; }}
.matrix .right {{ background: rgb(var(--blue) / var(--share)); }}
.matrix .wrong {{ background: rgb(var(--red) / var(--share)); }}
{_SHADES}figure {{ margin: 0; }}
figcaption {{ font-size: .9rem; overflow-wrap: anywhere; }}
.strips {{ display: grid; gap: 1.2rem; }}
.strips img {{ display: block; max-width: 100%; height: auto; }}
.figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1.5rem; margin: 1rem 0; }}
.figures > .scroll {{ margin: 0; min-width: 0; }}
.small {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, 45%), 1fr)); gap: 1rem; margin: 1rem 0; }}
svg {{ display: block; width: 100%; height: auto; max-width: 28rem; }}
svg text {{ font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }}
.gallery {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(10rem, 45%), 1fr)); gap: 1rem .75rem; margin: .75rem 0; }}
.gallery figcaption {{ margin-top: .3rem; line-height: 1.35; }}
.gallery img, .placeholder {{ display: block; width: 100%; height: auto; aspect-ratio: 1; object-fit: contain; border-radius: .4rem;
  background: rgb(var(--panel)); }}
.missed img, .placeholder {{ outline: 2px solid rgb(var(--red)); outline-offset: -2px; }}
.placeholder {{ display: grid; place-items: center; padding: .75rem; color: rgb(var(--muted)); text-align: center; font-size: .9rem; }}
.gallery strong {{ color: rgb(var(--ink)); }}
.lane {{ display: grid; grid-template-columns: minmax(4.5rem, 28%) 1fr; gap: 0 .6rem; align-items: center; margin: .15rem 0;
  font-size: .85rem; line-height: 1.2; }}
.lane > :first-child {{ overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: right; color: rgb(var(--muted)); }}
.lane svg {{ height: .75rem; max-width: none; background: rgb(var(--panel)); border-radius: .2rem; fill: rgb(var(--muted)); }}
.lane.asked svg {{ height: .3rem; }}
.lane.asked > :first-child {{ color: rgb(var(--ink)); }}
.lane.as-asked svg {{ fill: rgb(var(--blue)); }}
.lane.another svg {{ fill: rgb(var(--red)); }}
.lane.canned svg {{ fill: rgb(var(--orange)); }}
.lane .axis {{ display: flex; justify-content: space-between; color: rgb(var(--muted)); font-size: .8rem; }}
.better {{ color: rgb(var(--green)); }}
.worse {{ color: rgb(var(--red)); }}
@media (max-width: 30rem) {{
  body {{ padding: 1rem .8rem 3rem; }}
  h1 {{ font-size: 1.4rem; }}
  .facts > div {{ grid-template-columns: 1fr; }}
  th, td {{ padding: .3rem .4rem; }}
}}
@media print {{
  @page {{ margin: 14mm 12mm; }}
  * {{ -webkit-print-color-adjust: exact; print-color-adjust: exact; }}
  body {{ max-width: none; padding: 0; font-size: 10pt; }}
  h2 {{ padding-top: 1.2rem; }}
  h2, h3, caption {{ break-after: avoid; }}
  figure, table, tr, .tiles > div, .facts > div, .notes {{ break-inside: avoid; }}
  .tiles {{ grid-template-columns: repeat(5, 1fr); }}
  .tiles strong {{ font-size: 1.25rem; }}
  tbody th {{ position: static; background: none; }}
  thead {{ display: table-header-group; }}
  .scroll {{ overflow: visible; }}
  .dense {{ font-size: 5.5pt; }}
  .dense td {{ min-width: 0; }}
  .figures {{ grid-template-columns: 1fr 1fr; }}
  .small {{ grid-template-columns: repeat(5, 1fr); }}
  .gallery {{ grid-template-columns: repeat(5, 1fr); }}
  a {{ color: inherit; text-decoration: none; }}
}}
"""
