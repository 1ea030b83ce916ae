"""The wire, as pure values: bytes and dicts in, values out. Standard library only.

Nothing here opens a socket, reads a clock or knows a provider by name; what differs between
hosts comes in as a `Dialect`.

    wire        the wires by name: path, key's header, request builder, decoder
    messages    messages and tool calls; what makes a history legal
    request     a question as the body of a chat completion
    parameters  which parameters a request may set, with type and range
    dialect     how hosts differ, thinking and effort first
    sse         bytes to the data of server-sent events
    stream      a streamed reply: from events to deltas and the whole
    deltas      what one chunk adds, and what all of them come to
    items       what the next two share
    responses   the Responses wire, with the server's web search
    anthropic   the Messages wire
    fim         fill-in-the-middle: two more wires
    usage       tokens and money of one request
    model_facts what models cost and can do: ``models.toml``
    tokens      how many tokens a text or a body is
    logprobs    tokens with their probabilities
    rhythm      when which of an answer's characters came
    output      how a notebook's output holds a turn
    snippets    a request as code
"""
