# One image for all parts; which one runs is its command: up (the default), web, worker, migrate.
FROM python:3.11-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# What changes seldom comes first: the dependencies are laid once a change of theirs.
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/postcall && /opt/postcall/bin/pip install --quiet --require-hashes -r requirements/run.txt
RUN python -m venv tools && tools/bin/pip install --quiet --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN tools/bin/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir wheels . \
    && /opt/postcall/bin/pip install --quiet --no-deps wheels/*.whl \
    && /opt/postcall/bin/python -m compileall -q /opt/postcall/lib

FROM python:3.11-slim
# PostgreSQL, which `up` brings along, asks for an account with a name.
RUN groupadd --system --gid 10001 postcall \
    && useradd --system --uid 10001 --gid postcall --home-dir /var/lib/postcall --shell /usr/sbin/nologin postcall \
    && install -d -o postcall -g postcall -m 0700 /var/lib/postcall
COPY --from=build /opt/postcall /opt/postcall
ENV PATH=/opt/postcall/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    POSTCALL_DATA_DIR=/var/lib/postcall \
    POSTCALL_HOST=0.0.0.0 \
    POSTCALL_LOG_FORMAT=json
USER postcall
WORKDIR /var/lib/postcall
VOLUME /var/lib/postcall
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('POSTCALL_PORT', '8000') + '/healthz', timeout=4)"]
ENTRYPOINT ["postcall"]
CMD ["up"]
