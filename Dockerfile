# authy in an image of its own: the binary, certificates of authorities, and nothing else.
#
#   docker build --tag authy .
#   docker run --read-only --volume authy:/data --publish 127.0.0.1:5000:5000 authy
#
# docs/install.md has compose files.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/authy . && mkdir -m 700 /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/authy /authy
# The directory belongs to who runs authy, and so does a new volume there.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV AUTHY_DATA_DIR=/data AUTHY_LISTEN=0.0.0.0:5000
VOLUME /data
EXPOSE 5000
# docker stop waits as long as requests may take.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/authy", "health"]
ENTRYPOINT ["/authy"]
CMD ["serve"]
