# Two stages: the first has the compiler, the second only what runs. Not root, data in /data.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json ./
RUN npm ci --include=dev --ignore-scripts
COPY scripts scripts
COPY config config
COPY src src
RUN node scripts/build.mjs && npm prune --omit=dev --ignore-scripts

FROM node:24-slim
ENV NODE_ENV=production PURSER_HOST=0.0.0.0 PORT=8787 PURSER_DATA_DIR=/data
WORKDIR /app
RUN mkdir /data && chown node:node /data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY config config
COPY lua lua
COPY sql sql
COPY scripts/healthcheck.mjs scripts/
USER node
VOLUME /data
EXPOSE 8787
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "scripts/healthcheck.mjs"]
# As `npm start` has it: room for what is new keeps what is short-lived out of the old generation,
# and room for what is old keeps a small one from being collected every second.
CMD ["node", "--min-semi-space-size=64", "--max-semi-space-size=64", \
  "--initial-old-space-size=192", "dist/main.js", "start"]
