# A small image of the command. It has only the program and the certificates of TLS
# authorities: no shell and no C library. `make image-check` runs the build step.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Without cgo the program needs no C library, and the demo needs PostgreSQL.
RUN CGO_ENABLED=0 go build -ldflags="-s -w" -o /goresque ./cmd/goresque

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /goresque /goresque
# A number, so that Kubernetes can check that it is not root.
USER 65532:65532
# docker stop waits for 10 s. Running jobs are canceled at once and have 4 s to end.
# Jobs that are interrupted go back to their queue.
ENV TERM_CHILD=1 RESQUE_ON_SHUTDOWN=requeue
STOPSIGNAL SIGTERM
ENTRYPOINT ["/goresque"]
CMD ["work"]
