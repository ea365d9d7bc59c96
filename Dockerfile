# Parlor in an image: the binary, certificate authorities, and a static program that asks for its health.

FROM rust:1.94-bookworm AS build
# For the pages for browsers, which are built into the binary. PARLOR_PLAYGROUND and PARLOR_SAMPLE_APP switch them on.
COPY --from=node:22-bookworm-slim /usr/local/bin /usr/local/bin
COPY --from=node:22-bookworm-slim /usr/local/lib/node_modules /usr/local/lib/node_modules
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package parlor --bin parlor

FROM debian:bookworm-slim
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin parlor \
 && install --directory --owner=parlor --group=parlor --mode=0700 /var/lib/parlor
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/parlor /usr/local/bin/parlor
# By this name busybox is wget, and nothing else.
COPY --from=busybox:1.37-musl /bin/busybox /usr/local/bin/wget

ENV PARLOR_LISTEN=0.0.0.0:4000 \
    PARLOR_DATA_DIR=/var/lib/parlor
USER parlor
WORKDIR /var/lib/parlor
VOLUME /var/lib/parlor
EXPOSE 4000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:4000/readyz"]
ENTRYPOINT ["/usr/local/bin/parlor"]
CMD ["serve"]
