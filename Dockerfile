# goline alone, static and without CUDA, as user 65532, in an image without a system:
#   docker build -t goline . && docker run --rm -v "$PWD:/data" goline score --detector /data/det.npz --data /data/pictures --out -
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
# Folders keep their modes only as the contents of what is copied, not as the thing that is copied.
RUN mkdir -p /image/tmp /image-of-user/data && chmod 1777 /image/tmp && cp LICENSE /image/ \
    && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -tags nocuda -ldflags "-s -w" -o /image/goline ./cmd/goline

FROM scratch
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /image-of-user/ /
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/goline"]
CMD ["--help"]
