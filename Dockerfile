# The platform as an image: one for web, worker and every command. `deploy/compose/compose.yml` runs it.
FROM python:3.11-slim-trixie

# skia, which draws posters and films, wants the first two; `edu backup` the tools of the server's own version, 17
RUN apt-get update \
    && apt-get install -y --no-install-recommends libegl1 libgl1 postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/edu edu

WORKDIR /opt/edu
COPY requirements/run.txt requirements/run.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md app.py ./
COPY requirements requirements
COPY edu_platform edu_platform
COPY deploy deploy
COPY content content
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .

USER edu
ENV EDU_ENVIRONMENT=production EDU_DATA_DIR=/var/lib/edu HOST=0.0.0.0 PORT=8000
EXPOSE 8000
VOLUME /var/lib/edu
CMD ["gunicorn", "-c", "deploy/gunicorn.conf.py", "app:app"]
