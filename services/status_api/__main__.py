"""`python -m services.status_api`: serve until SIGTERM."""

from claimcheck.settings import settings
from claimcheck.web.serving import serve
from services.status_api.app import create_app

if __name__ == "__main__":
    serve(create_app, settings(), port=settings().web.status_port)
