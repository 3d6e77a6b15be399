"""The form that asks for the password, as HTML without scripts."""

from __future__ import annotations

from functools import partial
from html import escape
from string import Template

from kronos_app.i18n import translate
from kronos_app.web.page import language_tag

PAGE = Template("""<!doctype html>
<html lang="$lang">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Kronos Desk</title>
<style>
:root { color-scheme: light dark; --line: #d3dbe3; --key: #0b6e7f; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --line: #2c3a48; --key: #17808f; --bad: #f2b8b5; } }
body { font: 15px/1.5 Inter, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { max-width: 26rem; margin: 12vh auto; padding: 0 1rem; }
h1 { font-size: 1.75rem; font-weight: 650; }
label, input, button { display: block; box-sizing: border-box; width: 100%; font: inherit; }
input, button { margin-top: .4rem; padding: .5rem .7rem; border: 1px solid var(--line); border-radius: 4px; }
button { margin-top: 1rem; color: #fff; background: var(--key); border-color: var(--key); cursor: pointer; }
[role=alert] { color: var(--bad); }
</style>
</head>
<body>
<main>
<h1>Kronos Desk</h1>
<form method="post" action="$action">
<input type="hidden" name="target" value="$target">
<label>$password<input type="password" name="password" autocomplete="current-password" required autofocus></label>
<button type="submit">$enter</button>
</form>
$alert
</main>
</body>
</html>
""")


def render_door(target: str, message: str, language: str, action: str = "/enter") -> str:
    """Return the page; `target` is the address that opens after the password was entered."""
    _ = partial(translate, language=language)
    return PAGE.substitute(
        lang=language_tag(language),
        action=escape(f"{action}?lang={language}"),
        target=escape(target),
        password=escape(_("Password")),
        enter=escape(_("Enter")),
        alert=f'<p role="alert">{escape(message)}</p>' if message else "",
    )
