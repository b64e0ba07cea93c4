# A small image of the command: no C, no shell, nothing but the program and the
# authorities that TLS trusts. `make image-check` runs its build step.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Without cgo it needs no C library below it. The demo then wants PostgreSQL.
RUN CGO_ENABLED=0 go build -ldflags="-s -w" -o /goresque ./cmd/goresque

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /goresque /goresque
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
# docker stop waits for 10 s: jobs are asked to end at once and have 4 s for it,
# and what is cut short goes back to its queue.
ENV TERM_CHILD=1 RESQUE_ON_SHUTDOWN=requeue
STOPSIGNAL SIGTERM
ENTRYPOINT ["/goresque"]
CMD ["work"]
