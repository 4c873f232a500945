# docs/container.md says how to run it, and why with the host's network.

FROM debian:bookworm-slim AS build
WORKDIR /yuelao
COPY scripts/packages scripts/
RUN apt-get update && \
    apt-get install -y --no-install-recommends $(scripts/packages build) && \
    rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release -DYUELAO_TESTS=OFF -DCMAKE_CXX_COMPILER_LAUNCHER= && \
    cmake --build --preset release --target yuelao -j "$(scripts/jobs)" && \
    cmake --install build/release --prefix /usr/local --strip

FROM debian:bookworm-slim
COPY scripts/packages /tmp/packages
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates $(/tmp/packages runtime) && \
    rm -rf /var/lib/apt/lists/* /tmp/packages && \
    useradd --system --uid 647 --no-create-home --shell /usr/sbin/nologin yuelao && \
    install -d -m 0700 -o yuelao -g yuelao /var/lib/yuelao
COPY --from=build /usr/local/bin/yuelao /usr/local/bin/

USER yuelao
ENV STATE_DIRECTORY=/var/lib/yuelao
VOLUME /var/lib/yuelao
EXPOSE 3478/udp 3478/tcp 5349/tcp 5349/udp
# Waits for calls, up to drain_timeout (30 s): give `docker stop` more than its usual ten.
STOPSIGNAL SIGTERM
ENTRYPOINT ["yuelao"]
CMD ["serve"]
