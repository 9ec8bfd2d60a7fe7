// Node and `ws`: a set of sockets per room, one send each. No rule at all.
const http = require('node:http');
const { WebSocket, WebSocketServer } = require('ws');

const ACK = Buffer.from([0]);
const rooms = new Map();
const server = http.createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on('connection', (socket, request) => {
  let members = rooms.get(request.url);
  if (!members) {
    members = new Set();
    rooms.set(request.url, members);
  }
  members.add(socket);
  socket.on('message', (data) => {
    if (data.length > 1) {
      for (const member of members) {
        if (member !== socket && member.readyState === WebSocket.OPEN) member.send(data);
      }
    }
    socket.send(ACK);
  });
  const leave = () => {
    members.delete(socket);
    if (!members.size) rooms.delete(request.url);
  };
  socket.on('close', leave);
  socket.on('error', leave);
});

server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
