# goline alone, static and without CUDA, as user 65532, in an image without a system:
#   docker build -t goline . && docker run --rm -v "$PWD:/data" goline score --detector /data/det.npz --data /data/pictures --out -
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -tags nocuda -ldflags "-s -w" -o /out/goline ./cmd/goline \
    && mkdir /out/data /out/tmp && chmod 1777 /out/tmp

FROM scratch
COPY --from=build /out/goline /goline
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/tmp /tmp
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/goline"]
CMD ["--help"]
