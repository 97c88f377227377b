"""A page is told where its server is, and need not look for it.

Streamlit's page first asks under its own address (`/coverage/_stcore/health`), then one step above it, and only then
opens its websocket: two answers late, or more of them from far away. What is written here is read by it on its way in
(`window.__streamlit`, as hosts that embed it do). Its files are named relative to the same place, so both are right
together, under any prefix that a proxy takes away.
"""

from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

#: Without the cookie against forged requests it has to ask first: the answer sets it, and a login is not seen without.
SCRIPT = (
    b'window.__streamlit={BACKEND_BASE_URL:new URL(".",location.href).href};'
    b'if(document.cookie.includes("%b="))'
    b"window.__streamlit.HOST_CONFIG={allowedOrigins:[location.origin],useExternalAuthToken:false}"
) % XSRF_COOKIE_NAME.encode()
