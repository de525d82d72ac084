"""The style and the script of reports; the script sorts tables and asks for nothing."""

from base64 import b64encode
from hashlib import sha256
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1a1a1a;--dim:#666;--line:#ddd;--paper:#fff;--head:#f6f6f6;--gap:#0002;
--mark:#0072b2}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--dim:#a0a0a0;--line:#333;--paper:#161616;--head:#202020;
--gap:#fff3;--mark:#56b4e9}}
body{font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:2rem auto;max-width:1440px;
padding:0 1rem}h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:2rem 0 .4rem}
h1,h2{overflow-wrap:anywhere}p{margin:.2rem 0;color:var(--dim);max-width:75ch}a{color:inherit}
code{white-space:nowrap}
dl{display:flex;flex-wrap:wrap;gap:.5rem 2.5rem;margin:1.2rem 0}dt{color:var(--dim);font-size:.8rem}
dd{margin:0;font-size:1.25rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}
th{text-align:right;font-weight:500;color:var(--dim);background:var(--head);vertical-align:bottom;padding:.35rem .25rem;
white-space:nowrap}td{text-align:right;padding:.3rem .25rem;border-top:1px solid var(--line);
font-variant-numeric:tabular-nums;white-space:nowrap}
th button{all:unset;cursor:pointer}th button:focus-visible{outline:2px solid var(--mark)}
th[aria-sort=ascending] button::after{content:" ▲"}th[aria-sort=descending] button::after{content:" ▼"}
th.l,td.l{text-align:left}td.q{white-space:normal;min-width:12rem;max-width:30rem;overflow-wrap:anywhere}
small{color:var(--dim);display:block;font-weight:400}
svg{display:block}.bar{width:100px;height:12px}svg text{fill:var(--dim);font-size:9px}
.big text{font-size:11px}.big{width:100%;max-width:900px}
.square{width:100%;max-width:440px}.square text{font-size:11px}
.mid{fill:none;stroke:var(--mark);stroke-width:1.5}.dot{fill:var(--mark)}.gap{fill:var(--gap)}
.axis{stroke:var(--line)}.even{stroke:var(--dim);stroke-dasharray:4 4}
.key span{display:inline-block;margin-right:1.2rem;white-space:nowrap}
.key i{display:inline-block;width:.8em;height:.8em;margin-right:.35em;border-radius:2px;vertical-align:-.05em}
.market{display:none}.market:target{display:block}body:has(.market:target) #all{display:none}
.groups{columns:20rem;column-gap:2rem}.groups section{break-inside:avoid}.groups h2{margin-top:1rem}
.groups td{white-space:normal}.groups td:first-child{text-align:left;color:var(--dim)}
nav{display:flex;gap:1.2rem;margin:0 0 1rem}
@media(max-width:640px){.bar{width:44px}.big text{font-size:20px}.big .mid{stroke-width:3}
body{margin:1rem auto;padding:0 .6rem}.more{display:none}td.q{min-width:0}
dl{gap:.4rem 1.4rem}dd{font-size:1.05rem}h1{font-size:1.2rem}}
"""

SCRIPT: Final = """
for(const table of document.querySelectorAll("table.sorted"))table.tHead.addEventListener("click",event=>{
const head=event.target.closest("th");if(!head||!head.querySelector("button"))return;
const down=head.getAttribute("aria-sort")!=="descending";
for(const each of table.tHead.rows[0].cells)each.removeAttribute("aria-sort");
head.setAttribute("aria-sort",down?"descending":"ascending");
const value=row=>{const text=row.cells[head.cellIndex].dataset.v;return text===undefined||text===""?null:
isNaN(text)?text:Number(text)};
const body=table.tBodies[0];
[...body.rows].map(row=>[value(row),row]).sort(([one],[other])=>one===null?(other===null?0:1):other===null?-1:
(one<other?-1:one>other?1:0)*(down?-1:1)).forEach(([,row])=>body.append(row))});
"""
"""Sorts by the ``data-v`` of the cells of a column, greatest first, then least first; cells without one stay last."""

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    f"script-src 'sha256-{b64encode(sha256(SCRIPT.encode()).digest()).decode()}'"
)
"""The content security policy: this script and no other, and nothing from anywhere."""


def document(title: str, body: str) -> str:
    """Return a whole page; ``title`` and ``body`` are HTML."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer"><title>predsurv: {title}</title><style>{STYLE}</style></head>
<body>{body}<script>{SCRIPT}</script></body></html>
"""
