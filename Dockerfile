# The connector as an image: its locked dependencies and nothing to build with, an unprivileged user, and no need to write
# anywhere. Kubernetes probes /livez and /readyz, so there is no health check here. docs/image.md tells more.

# The Python that the tests run on. Another base works as well if it has python3 with venv.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /build
# One environment builds, the other is what the image gets: without pip, which could only ever be used against us.
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/connector
COPY requirements-build.lock requirements-run.lock ./
RUN tools/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r requirements-build.lock \
    && tools/bin/pip --python /opt/connector/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements-run.lock
COPY pyproject.toml README.md ./
COPY avro avro
COPY connector connector
RUN tools/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && tools/bin/pip --python /opt/connector/bin/python install --no-cache-dir --disable-pip-version-check \
        --no-deps --no-index dist/*.whl

FROM ${BASE}
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="commerce-connector" \
      org.opencontainers.image.description="Carries order and clickstream events from Kafka to ad, search and customer-data vendors, and loses none." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --system --gid 10001 connector \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin connector
COPY --from=build /opt/connector /opt/connector
ENV PATH=/opt/connector/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["/opt/connector/bin/connector"]
CMD ["--help"]
