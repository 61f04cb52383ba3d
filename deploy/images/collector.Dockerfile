# The collector's own image has nothing but the collector, so nothing that could ask it for its health.
FROM busybox:1.37.0-musl AS busybox

FROM otel/opentelemetry-collector:0.128.0
COPY --from=busybox /bin/busybox /bin/busybox
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["/bin/busybox", "wget", "-q", "-T", "4", "-O", "/dev/null", "http://127.0.0.1:13133/"]
