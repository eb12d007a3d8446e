# One image for every replica. Build: docker build -t meshkv .  Run: see compose.yaml
FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json tsconfig.base.json tsconfig.json ./
COPY packages ./packages
COPY scripts ./scripts
RUN npm ci --omit=dev --no-audit --no-fund && npx tsc -b packages/cli

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/package.json /src/package-lock.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/packages ./packages
RUN ln -s /app/packages/cli/bin/meshkv.js /usr/local/bin/meshkv \
  && install -d -m 0700 -o node -g node /data
USER node
VOLUME /data
# gRPC for clients and peers, HTTP for clients
EXPOSE 4000 8000
# A container is reached from outside itself, and there is no encryption yet: keep the network to yourself.
ENV MESHKV_LISTEN=0.0.0.0:4000 MESHKV_DATA=/data MESHKV_INSECURE=true
# The binary itself asks, over gRPC: whatever the port of HTTP is.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["meshkv", "status", "--ip", "127.0.0.1:4000", "--timeout", "4s"]
# Commits are flushed within ten seconds of SIGTERM.
STOPSIGNAL SIGTERM
ENTRYPOINT ["meshkv"]
CMD ["server"]
