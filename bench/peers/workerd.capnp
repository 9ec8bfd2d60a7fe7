using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [ (name = "main", worker = .room) ],
  sockets = [ (name = "http", address = "127.0.0.1:8787", http = (), service = "main") ],
);

const room :Workerd.Worker = (
  modules = [ (name = "room", esModule = embed "workerd_room.js") ],
  compatibilityDate = "2026-01-01",
  durableObjectNamespaces = [ (className = "Room", uniqueKey = "beacon-bench") ],
  durableObjectStorage = (inMemory = void),
  bindings = [ (name = "ROOMS", durableObjectNamespace = "Room") ],
);
