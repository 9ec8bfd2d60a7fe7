// The plain baseline: Node and `ws`, a set of sockets, one send each. No rule at all.
const http = require("node:http");
const { WebSocket, WebSocketServer } = require("ws");

const members = new Set();
const server = http.createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on("connection", (socket) => {
  members.add(socket);
  socket.on("message", (data, isBinary) => {
    for (const member of members) {
      if (member.readyState === WebSocket.OPEN) member.send(data, { binary: isBinary });
    }
  });
  socket.on("close", () => members.delete(socket));
  socket.on("error", () => members.delete(socket));
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
