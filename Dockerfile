# One node of the hub. It needs DATABASE_URL and REDIS_URL; docker-compose.yml shows a whole cluster.

FROM python:3.11-slim-bookworm AS packages
COPY requirements/run.txt /tmp/run.txt
# Wheels only: nothing is compiled here, and a package without a wheel fails the build instead of needing a compiler.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --only-binary=:all: --require-hashes --requirement /tmp/run.txt

FROM python:3.11-slim-bookworm
# The folder of the signing key. A fresh named volume takes its owner and mode from here.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin sparkle \
    && install --directory --owner=sparkle --group=sparkle --mode=0700 /var/lib/sparkle
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/sparkle
COPY LICENSE LICENSE
COPY hub hub
COPY signaling signaling
COPY collab collab
COPY presence presence
COPY core_api core_api
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SPARKLE_HOST=0.0.0.0 \
    SPARKLE_DATA=/var/lib/sparkle \
    SPARKLE_LOG_FORMAT=json
RUN python -m compileall -q .
# A number: an orchestrator that insists on "not root" cannot look names up.
USER 10001
VOLUME ["/var/lib/sparkle"]
EXPOSE 8080
# Live, not ready: restarting a node does not bring a database back.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m", "hub.cli"]
CMD ["serve"]
