# syntax=docker/dockerfile:1

# The dependencies are a layer of their own, rebuilt only when the manifest or the lock file changes.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates/fleetpulse-client/Cargo.toml crates/fleetpulse-client/
COPY crates/fleetpulse-index/Cargo.toml crates/fleetpulse-index/
# Stand-ins for the sources: enough for cargo to build what they depend on. The benches are named in the manifests.
RUN set -e; \
    for package in . crates/*; do \
        mkdir -p "$package/src" "$package/benches"; \
        touch "$package/src/lib.rs"; \
        for bench in $(sed -nE '/^\[\[bench\]\]/,/^$/s/^name = "(.*)"/\1/p' "$package/Cargo.toml"); do \
            touch "$package/benches/$bench.rs"; \
        done; \
    done; \
    echo 'fn main() {}' > src/main.rs; \
    cargo build --release --locked --bin fleetpulse; \
    rm -rf src crates/*/src
COPY . .
# What `fleetpulse --version` shows; the build context has no history: docker build --build-arg FLEETPULSE_COMMIT=$(git rev-parse HEAD) .
ARG FLEETPULSE_COMMIT
# Newer than the stand-ins, whatever the times in the build context are.
RUN touch src/main.rs src/lib.rs crates/*/src/lib.rs && cargo build --release --locked --bin fleetpulse

FROM debian:bookworm-slim
# For rediss://: the roots that certificates are checked against.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/fleetpulse --create-home fleetpulse
COPY --from=build /src/target/release/fleetpulse /usr/local/bin/fleetpulse
USER 10001
WORKDIR /var/lib/fleetpulse
ENV HTTP_BIND=0.0.0.0:8080 \
    DATA_DIR=/var/lib/fleetpulse \
    LOG_FORMAT=json
VOLUME /var/lib/fleetpulse
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["fleetpulse", "check", "--url", "http://127.0.0.1:8080"]
# No Redis in here: give it one by REDIS_URL or REDIS_HOST (see docker-compose.yml).
ENTRYPOINT ["fleetpulse"]
CMD ["serve"]
