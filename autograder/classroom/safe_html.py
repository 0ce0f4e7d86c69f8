"""Markdown that a student wrote, as HTML that is harmless: the filter of nbgrader's feedback and formgrader."""

from html import escape
from urllib.parse import unquote

import nh3
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import HTMLRenderer, IPythonRenderer, MarkdownWithMath, import_plugin

PLUGINS = ("strikethrough", "table", "url", "def_list")  # nbconvert's, without task lists: those make form elements
MAX_MARKDOWN = 20_000  # characters; some texts take time that grows with the square of their length
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "div": {"class"}, "span": {"class"}}


class Renderer(IPythonRenderer):
    """Shows only the pictures that lie in the notebook: one from elsewhere, or a missing one, becomes a link."""

    def image(self, text, url, title=None):
        name = unquote(url.removeprefix("attachment:"))
        if url.startswith("attachment:") and name in self.attachments:
            return super().image(text, f"attachment:{name}", title)
        return self.link(escape(f"[picture: {text or url}]"), url, title)

    def block_mermaidjs(self, code):
        return HTMLRenderer.block_code(self, code)


@pass_context
def markdown2html(context, source):
    """Markdown to HTML. In a cell's source, tags are shown as they were typed; a grader's comment may have some."""
    cell = context.get("cell", {})
    if len(source) > MAX_MARKDOWN:
        return f"<pre>{escape(source)}</pre>"
    renderer = Renderer(
        escape=source == cell.get("source"), attachments=cell.get("attachments", {}), exclude_anchor_links=True
    )
    html = MarkdownWithMath(renderer, plugins=map(import_plugin, PLUGINS)).render(source)
    return nh3.clean(
        html, attributes=ATTRIBUTES, attribute_filter=safe_url, url_schemes={"http", "https", "mailto", "data"}
    )


def safe_url(tag, attribute, value):
    """A picture lies in the page, a link leads out of it."""
    if attribute == "src":
        return value if value.startswith("data:image/") else None
    if attribute == "href":
        return value if value.lower().startswith(("http:", "https:", "mailto:")) else None
    return value
