// A client library's `fetch` that answers with bytes of ours, so that what a client makes of a
// stream is seen without a network.

export function answering(bytes: Buffer, chunkBytes = 64): typeof fetch {
  return async () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          controller.enqueue(new Uint8Array(bytes.subarray(at, at + chunkBytes)));
        }
        controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
}
