"""`python -m admin_ui.school --listen HOST:PORT`."""

from admin_ui.school import FIRST, create_app
from admin_ui.shared.web import serve

serve(create_app(), "127.0.0.1:8053", FIRST)
