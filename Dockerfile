# The service and all its commands in one image: `docker run IMAGE serve`, `… migrate up`, `… keys create NAME`.
# It brings no PostgreSQL: give it a DATABASE_URL.

FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --omit=optional --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY simulator simulator
COPY scripts/compile.js scripts/
RUN npm run build

# Optional packages are the binaries of the embedded PostgreSQL, for people without a database: 100 MB not needed here.
FROM node:22-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:22-slim
WORKDIR /app
# Owned by root and run as node: the service cannot rewrite itself.
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY migrations migrations
# What `demo` posts.
COPY samples samples
USER node
EXPOSE 3000
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["serve"]
