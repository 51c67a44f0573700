# The service alone, as an unprivileged user. It writes nothing outside /data and /tmp, so it runs on a read-only root:
#   docker build -t iv-iron-rls-cds .
#   docker run --read-only --tmpfs /tmp -v cds-data:/data -v ./clients.toml:/clients.toml:ro -p 8000:8000 \
#     -e CDS_CLIENTS=/clients.toml -e CDS_PUBLIC_URL=https://cds.example.org iv-iron-rls-cds
# The same with `migrate` at its end, once before the first start and after each upgrade, makes the tables.
# For a demo: -e CDS_DEMO=anywhere instead of a client registry.

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.lock ./
# What running needs and the PostgreSQL driver: the lock up to its section for tests.
RUN sed '/^# == test$/,$d' requirements.lock >/tmp/requirements.txt \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY cds_service cds_service
COPY fhir_fixtures fhir_fixtures
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /venv/bin/python -m compileall -q /venv/lib \
 && /venv/bin/pip uninstall --yes pip

FROM python:3.13-slim
RUN useradd --uid 10001 --no-create-home --home-dir /data cds \
 && install -d -o cds -g cds /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CDS_HOST=0.0.0.0 CDS_PORT=8000
USER cds
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=15s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['CDS_PORT']}/livez\", timeout=2)"]
ENTRYPOINT ["cds-service"]
CMD ["serve"]
