// A Durable Object per room on workerd, with the hibernation API, as Cloudflare's chat example has it. No rule at all.
const ACK = new Uint8Array([0]);

export class Room {
  constructor(state) {
    this.state = state;
  }

  async fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.state.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, data) {
    if (data.byteLength > 1) {
      for (const member of this.state.getWebSockets()) {
        if (member !== socket) member.send(data);
      }
    }
    socket.send(ACK);
  }

  webSocketClose(socket) {
    socket.close();
  }
}

export default {
  fetch(request, environment) {
    const id = environment.ROOMS.idFromName(new URL(request.url).pathname);
    return environment.ROOMS.get(id).fetch(request);
  },
};
