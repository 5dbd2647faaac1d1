"""`python -m services.process_api`: serve until SIGTERM."""

from claimcheck.settings import settings
from claimcheck.web.serving import serve
from services.process_api.app import create_app

if __name__ == "__main__":
    serve(create_app, settings(), port=settings().web.process_port)
