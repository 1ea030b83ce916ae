# One source of two notebooks: `notebooks/bilingual.py` writes them.

# %% en
# # Sparse attention, learning in front of you
#
# DeepSeek-V3.2-Exp reads 128K tokens and lets each token attend to 2,048 of them. Which ones? A small second network,
# the *lightning indexer*, scores every earlier token and the 2,048 best are kept. This notebook builds that machine
# with numpy alone, 256 tokens long, trains it while you watch, and measures what it costs and what it loses.
# It runs in half a minute, without a GPU, a key or a network.

# %% zh
# # 稀疏注意力：看着它学会
#
# DeepSeek-V3.2-Exp 能读 128K 个 token，但每个 token 只关注其中 2,048 个。选哪些？一个小网络，即 *lightning indexer*，
# 给前面的每个 token 打分，保留分数最高的 2,048 个。本笔记本只用 numpy 搭出这套机制（256 个 token 长），
# 当着你的面训练它，并测量它的代价和它丢掉的东西。半分钟跑完，不需要 GPU、密钥或网络。

# %% code
import struct
import zlib

import numpy as np
from IPython.display import HTML, Image, display

L, D, HEADS = 256, 64, 8  # tokens, width of a token, attention heads
K = 16  # tokens that each token may attend to
INDEX_HEADS, INDEX_DIM = 4, 16  # the indexer's; V3.2-Exp has 64 and 128
CHANCE = np.random.default_rng(7)
AGE = np.arange(L)[:, None] - np.arange(L)  # how far back a token lies
PAST = AGE >= 0


def softmax(scores, allowed=PAST):
    """Over the last axis, zero where it is not allowed."""
    scores = np.where(allowed, scores, -np.inf)
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def picture(values, width=384):
    """An array of 0 to 1 as a PNG, dark for 1."""
    scale = max(1, width // len(values))
    grey = 255 - (255 * np.clip(values, 0, 1)).astype(np.uint8).repeat(scale, 0).repeat(scale, 1)
    rows = b"".join(b"\0" + row.tobytes() for row in grey)

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", *grey.shape[::-1], 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return Image(b"\x89PNG\r\n\x1a\n" + parts)


def lines(across, title="", **named):
    """Curves over `across` as one SVG, each with its name at its end."""
    w, h, pad, hues = 560, 230, 34, ["#4d6bfe", "#d9480f", "#2b8a3e", "#868e96"]
    top = max(max(values) for values in named.values()) * 1.05
    x = lambda at: pad + (w - 150 - pad) * at / max(len(across) - 1, 1)  # noqa: E731
    y = lambda value: h - pad - (h - 2 * pad) * value / top  # noqa: E731
    parts = [f'<text x="{pad}" y="16" fill="currentColor">{title}</text>']
    parts += [
        f'<text x="{x(at)}" y="{h - 12}" text-anchor="middle" fill="currentColor">{across[at]}</text>'
        for at in range(len(across))
    ]
    parts += [
        f'<text x="{pad - 6}" y="{y(v) + 4}" text-anchor="end" fill="currentColor">{v:.2g}</text>'
        for v in (0, top / 2, top)
    ]
    for (name, values), hue in zip(named.items(), hues, strict=False):
        path = " ".join(f"{x(at):.1f},{y(v):.1f}" for at, v in enumerate(values))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{hue}" stroke-width="2"/>')
        parts.append(
            f'<text x="{x(len(values) - 1) + 6}" y="{y(values[-1]) + 4}" fill="{hue}">{name}</text>'
        )
    return HTML(
        f'<svg viewBox="0 0 {w} {h}" width="{w}" font-size="12" font-family="sans-serif">{"".join(parts)}</svg>'
    )


# %% en
# ## 1 Dense attention
#
# A "text" of 256 tokens drawn from 48 words. Eight heads look at it: two look at their neighbours, one at the first
# token (the *sink* that real models have, too), five at words like their own. Every token scores all earlier ones:
# the work grows with the square of the length. The picture is the mean over the heads.

# %% zh
# ## 1 稠密注意力
#
# 一段由 48 个词随机组成、长 256 个 token 的“文本”。八个注意力头：两个看邻近的 token，一个看第一个 token
# （真实模型里也有的 *sink*），五个看与自己相似的词。每个 token 都要给前面所有 token 打分：
# 工作量随长度的平方增长。图中是各头的平均值。

# %% code
WORDS = CHANCE.normal(size=(48, D))
WORDS[0] *= 8 / np.linalg.norm(WORDS[0])  # the first token of each text
MATCH = CHANCE.normal(size=(HEADS, D, 8)) / np.sqrt(D)


def text(chance, ids=None):
    """Tokens as vectors."""
    return WORDS[np.r_[0, chance.integers(1, 48, L - 1)] if ids is None else ids]


def dense(x):
    """What each head attends to: (heads, tokens, tokens)."""
    near = [-AGE / reach for reach in (1.5, 5)]
    sink = np.where(np.arange(L) == 0, 5.0, 0.0) + 0 * AGE
    alike = [1.3 * (x @ m) @ (x @ m).T / np.sqrt(8) for m in MATCH[3:]]
    return softmax(np.stack([*near, sink, *alike]))


unseen = text(np.random.default_rng(99))  # never trained on
heads = dense(unseen)
target = heads.mean(0)
print(
    f"{PAST.sum():,} scores for each head; the {K} largest of a row hold "
    f"{np.sort(target, 1)[K:, -K:].sum(1).mean():.0%} of its attention"
)
picture(target * 8)

# %% en
# ## 2 Why tokens can be picked at all: one latent for all heads
#
# With 128 heads of their own keys and values, picking 2,048 tokens would mean 128 different picks to load. MLA, the
# attention of DeepSeek-V2 and later, keeps one small latent vector a token (512 numbers and 64 for the position), out of
# which every head makes its key and value. So a pick holds for all heads at once, and what is loaded is one row a token.

# %% zh
# ## 2 为什么可以挑选 token：所有头共用一个潜向量
#
# 如果 128 个头各有自己的键和值，挑选 2,048 个 token 就意味着要读取 128 份不同的选择。DeepSeek-V2 起使用的 MLA
# 为每个 token 只保存一个小的潜向量（512 个数，另有 64 个表示位置），每个头都从它得到自己的键和值。
# 因此一次挑选对所有头同时有效，每个 token 只需读取一行。

# %% code
latent_dim = 12  # 512 in V3.2-Exp
down = np.linalg.svd(unseen, full_matrices=False)[2][:latent_dim].T  # learned in a real model
up = CHANCE.normal(size=(HEADS, latent_dim, 8)) / np.sqrt(latent_dim)
latent = unseen @ down  # this is the cache: one row a token
values = np.stack([latent @ u for u in up])  # every head's values, made from the shared rows
picked = np.argsort(-np.where(PAST, target, -1), 1)[:, :K]
print(
    f"cache: {latent.size:,} numbers instead of {2 * values.size:,}; "
    f"the last token's pick: rows {sorted(picked[-1].tolist())}"
)

# %% en
# ## 3 The indexer, before it has learned anything
#
# Its score of an earlier token *s* for token *t* is `I(t,s) = Σⱼ wₜⱼ · ReLU(qₜⱼ · kₛ)`: a few heads of queries, *one* key
# a token, ReLU in place of softmax. Half of each vector is turned by its position (RoPE, non-interleaved: an early
# demo of the model used the interleaved form here by mistake). Drawn below: what it would pick now.

# %% zh
# ## 3 还没学习的 indexer
#
# 它为 token *t* 给前面的 token *s* 打分：`I(t,s) = Σⱼ wₜⱼ · ReLU(qₜⱼ · kₛ)`：少量查询头，每个 token *一个* 键，
# 用 ReLU 代替 softmax。每个向量的一半按位置旋转（RoPE，非交错形式：模型早期的演示代码在这里误用了交错形式）。
# 下图：它现在会挑选哪些。

# %% code
TURNED = 4  # pairs of numbers that RoPE turns
ANGLES = np.arange(L)[:, None] * 0.3 ** np.arange(TURNED)


def rope(vectors, direction=1):
    """Turned by position; `direction` -1 turns back, which is its gradient."""
    a, b, rest = np.split(vectors, [TURNED, 2 * TURNED], axis=-1)
    cos, sin = np.cos(ANGLES), direction * np.sin(ANGLES)
    if vectors.ndim == 3:
        cos, sin = cos[:, None], sin[:, None]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos, rest], -1)


def parts_of(x, weights):
    x = np.c_[x, np.ones(L)]
    q = rope((x @ weights["q"]).reshape(L, INDEX_HEADS, INDEX_DIM))
    return x, q, rope(x @ weights["k"]), x @ weights["w"]


def scores_of(q, k, w):
    raw = (q.reshape(-1, INDEX_DIM) @ k.T).reshape(L, INDEX_HEADS, L)
    return raw, np.matmul(w[:, None], np.maximum(raw, 0))[:, 0]


def index(x, weights):
    """I(t,s)."""
    return scores_of(*parts_of(x, weights)[1:])[1]


def chosen(scores, k=K):
    """A mask of the k best of the past."""
    order = np.argsort(-np.where(PAST, scores, -np.inf), 1)[:, :k]
    mask = np.zeros((L, L), bool)
    np.put_along_axis(mask, order, True, 1)
    return mask & PAST


def recall(scores, attention, k=K):
    """The share of dense attention that the pick catches, over tokens with more than k before them."""
    return (attention * chosen(scores, k))[k:].sum(1).mean()


weights = {
    name: 0.15 * CHANCE.normal(size=(D + 1, width))
    for name, width in {"q": INDEX_HEADS * INDEX_DIM, "k": INDEX_DIM, "w": INDEX_HEADS}.items()
}
baselines = {"oracle": target, "window": -AGE.astype(float), "random": CHANCE.random((L, L))}
for name, scores in {"indexer, untrained": index(unseen, weights), **baselines}.items():
    print(f"{name:20} catches {recall(scores, target):.2f} with {K} of {L}")
untrained = recall(index(unseen, weights), target)
picture(chosen(index(unseen, weights)))

# %% en
# ## 4 It learns
#
# The first stage of the published training: the model stays as it is, and only the indexer is trained, to give
# each token the distribution that the heads together give (KL divergence; attention summed over heads and made to sum
# to 1). The gradient is written by hand, Adam does the steps, each on a text never seen before. The published run
# took 1,000 steps of 16 texts of 128K tokens; here it is 240 texts of 256.

# %% zh
# ## 4 它在学习
#
# 公开训练过程的第一阶段：模型不动，只训练 indexer，让它对每个 token 给出与所有头合起来相同的分布
# （KL 散度；把各头的注意力相加并归一化）。梯度是手写的，用 Adam 更新，每一步都是一段没见过的文本。
# 公开的训练用了 1,000 步，每步 16 段 128K token 的文本；这里是 240 段、每段 256 个 token。


# %% code
def gradient(x, attention, weights):
    """KL(attention || softmax(I)) and its gradient."""
    x, q, k, w = parts_of(x, weights)
    raw, scores = scores_of(q, k, w)
    guess = softmax(scores)
    kl = np.where(PAST, attention * np.log((attention + 1e-9) / (guess + 1e-9)), 0).sum(1).mean()
    by_score = (guess - attention) / L
    by_w = np.matmul(np.maximum(raw, 0), by_score[..., None])[..., 0]
    by_raw = by_score[:, None] * w[..., None] * (raw > 0)
    by_q = (by_raw.reshape(-1, L) @ k).reshape(q.shape)
    by_k = by_raw.reshape(-1, L).T @ q.reshape(-1, INDEX_DIM)
    return kl, {
        "q": x.T @ rope(by_q, -1).reshape(L, -1),
        "k": x.T @ rope(by_k, -1),
        "w": x.T @ by_w,
    }


steps, history = 240, []
mean, square = ({name: 0 * value for name, value in weights.items()} for _ in range(2))
live = display(HTML(""), display_id=True)
for step in range(1, steps + 1):
    lesson = text(CHANCE)
    kl, slopes = gradient(lesson, dense(lesson).mean(0), weights)
    for name, slope in slopes.items():
        mean[name] = 0.9 * mean[name] + 0.1 * slope
        square[name] = 0.99 * square[name] + 0.01 * slope**2
        weights[name] -= (
            0.01 * mean[name] / (1 - 0.9**step) / (np.sqrt(square[name] / (1 - 0.99**step)) + 1e-8)
        )
    if step % 30 == 0 or step == 1:
        history.append((step, kl, recall(index(unseen, weights), target)))
        at, kls, caught = zip(*history, strict=True)
        live.update(
            lines(
                at,
                f"step {step}: KL {kl:.2f}, catches {caught[-1]:.2f}",
                recall=caught,
                oracle=[recall(target, target)] * len(at),
            )
        )
first_kl, last_kl = history[0][1], history[-1][1]
picture(chosen(index(unseen, weights)))

# %% code
trained = recall(index(unseen, weights), target)
best, window, lottery = (recall(scores, target) for scores in baselines.values())
print(
    f"KL {first_kl:.2f} -> {last_kl:.2f}; caught {untrained:.2f} -> {trained:.2f} "
    f"(oracle {best:.2f}, window {window:.2f}, random {lottery:.2f})"
)
assert last_kl < 0.1 * first_kl
assert window + 0.06 < trained <= best + 1e-9
assert lottery < 0.5 * trained

# %% en
# ## 5 How many tokens are enough?
#
# The share of the dense attention that is caught, by the number of tokens that may be picked. The text was never
# trained on. *Oracle* knows the true attention; *window* takes the nearest.

# %% zh
# ## 5 多少个 token 才够？
#
# 按可挑选的 token 数，看抓住了多少稠密注意力。这段文本没有用于训练。*oracle* 知道真实的注意力；*window* 取最近的。

# %% code
ks = [4, 8, 16, 32, 64, 128]
contest = {"indexer": index(unseen, weights), **baselines}
caught = {name: [recall(scores, target, k) for k in ks] for name, scores in contest.items()}
lines(ks, "share of attention caught, by k", **caught)

# %% en
# ## 6 What reaches the output
#
# Attention caught is not the end: what counts is the heads' output. Each head attends to the picked tokens only, its
# weights made to sum to 1 again. Below: the error relative to dense output.

# %% zh
# ## 6 对输出的影响
#
# 抓住多少注意力还不是最终答案：重要的是各头的输出。每个头只关注被挑中的 token，权重重新归一化。
# 下图：相对稠密输出的误差。

# %% code
whole = heads @ values


def output_error(scores, k):
    kept = heads * chosen(scores, k)
    sparse = kept / (kept.sum(-1, keepdims=True) + 1e-12) @ values
    return np.linalg.norm(sparse - whole) / np.linalg.norm(whole)


errors = {name: [output_error(scores, k) for k in ks] for name, scores in contest.items()}
assert errors["indexer"][-1] < errors["indexer"][0]
lines(ks, "relative error of the output, by k", **errors)

# %% en
# ## 7 Eight bits
#
# The real indexer computes in FP8 (e4m3: 4 bits of exponent, 3 of mantissa, one scale a vector), after a Hadamard
# rotation of queries and keys, which changes no dot product but spreads each number over all places. How many picks
# change against exact arithmetic, with and without the rotation? Then the same where two places carry numbers
# 40 times as large, as happens in trained networks: queries are made smaller by as much, so the exact scores are equal.

# %% zh
# ## 7 八个比特
#
# 真实的 indexer 用 FP8 计算（e4m3：4 位指数、3 位尾数，每个向量一个缩放因子），之前先对查询和键做 Hadamard 旋转：
# 点积不变，但每个数被摊到所有位置上。与精确计算相比，有无旋转时各有多少选择改变？然后让两个位置的数大 40 倍
# （训练好的网络里常有的情况），查询相应缩小，因此精确分数不变。


# %% code
def e4m3(v):
    """Rounded as FP8 with one scale a vector rounds."""
    scale = 448 / (np.abs(v).max(-1, keepdims=True) + 1e-30)
    scaled = v * scale
    step = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(scaled), 2.0**-6))) - 3)
    return np.round(scaled / step) * step / scale


def hadamard(n):
    return (
        np.ones((1, 1)) if n == 1 else np.block([[h := hadamard(n // 2), h], [h, -h]]) / np.sqrt(2)
    )


def changed(q, k, w, turn):
    exact = chosen(scores_of(q, k, w)[1])
    rounded = chosen(scores_of(e4m3(q @ turn), e4m3(k @ turn), w)[1])
    return 1 - (exact & rounded)[K:].sum() / exact[K:].sum()


q, k, w = parts_of(unseen, weights)[1:]
lopsided = np.where(np.arange(INDEX_DIM) % 8 == 5, 40.0, 1.0)
turn, same = hadamard(INDEX_DIM), np.eye(INDEX_DIM)
for name, scale in (("as trained", 1.0), ("two large places", lopsided)):
    off, on = (changed(q / scale, k * scale, w, t) for t in (same, turn))
    print(f"{name:18} picks changed: {off:.1%} without rotation, {on:.1%} with it")
assert np.allclose(scores_of(q @ turn, k @ turn, w)[1], scores_of(q, k, w)[1])

# %% en
# Look at your own figures before you repeat a rule. A floating format keeps small numbers beside large ones, so one scale
# a vector hurts it far less than it hurts integers, and here, in 16 places, rotation has little to gain and can
# do harm. With 128 places and real activations the published model chose to rotate.

# %% zh
# 在重复一条“规律”之前先看看自己的数字。浮点格式能同时容纳大数和小数，因此每个向量一个缩放因子对它的伤害远小于对整数的伤害；
# 在这里的 16 个位置上，旋转没有多少可修补的，甚至可能有害。公开的模型在 128 个位置和真实激活上选择了旋转。

# %% en
# ## 8 What it costs, the indexer included
#
# Multiply-adds for one token and one layer with the sizes of V3.2-Exp. Dense MLA: 128 heads × (576 + 512) for each
# earlier token. DSA: the indexer's 64 heads × 128 for *each* earlier token, and MLA for at most 2,048 of them.
# So attention grows with L·k, but the indexer still with L², with a constant 17 times smaller.

# %% zh
# ## 8 代价，包括 indexer 自己
#
# 按 V3.2-Exp 的尺寸计算一个 token、一层的乘加次数。稠密 MLA：对前面每个 token 是 128 头 × (576 + 512)。
# DSA：indexer 对前面 *每个* token 是 64 头 × 128，MLA 则最多对 2,048 个。
# 所以注意力按 L·k 增长，而 indexer 仍按 L² 增长，只是常数小 17 倍。

# %% code
print(f"{'length':>8} {'dense':>10} {'DSA':>10} {'dense/DSA':>10} {'indexer':>8}")
ratios = {}
for length in (2048, 4096, 8192, 32768, 131072):
    full, own = 128 * (576 + 512) * length, 64 * 128 * length
    sparse = own + 128 * (576 + 512) * min(2048, length)
    ratios[length] = full / sparse, own / sparse
    print(
        f"{length:8,} {full / 1e6:9,.0f}M {sparse / 1e6:9,.0f}M {full / sparse:9.1f}x {own / sparse:8.0%}"
    )
assert 13 < ratios[131072][0] < 14
assert 0.75 < ratios[131072][1] < 0.82
assert ratios[2048][0] < 1  # a short text pays for the indexer and saves nothing

# %% en
# ## 9 A needle that is lost
#
# One word occurs again and again, and the last token asks for all of its places. Dense attention sees every one. A pick
# of 16 cannot: whatever the indexer has learned, more places than k do not fit. So a question about *one* place in
# a long text is safe ground, and "count every ..." is not.

# %% zh
# ## 9 丢失的针
#
# 一个词反复出现，最后一个 token 要找到它的所有位置。稠密注意力全都看得到。只挑 16 个则不行：
# 不管 indexer 学得多好，位置数多于 k 就放不下。因此，问长文中的 *某一处* 是稳妥的，“数出所有……”则不是。

# %% code
found = {}
for copies in (4, 12, 48, 96):
    ids = np.r_[0, CHANCE.integers(2, 48, L - 1)]
    places = np.sort(CHANCE.choice(np.arange(1, L - 1), copies, replace=False))
    ids[places] = ids[-1] = 1
    scores = index(text(CHANCE, ids), weights)
    found[copies] = chosen(scores)[-1, places].sum()
    print(
        f"{copies:3} places, {found[copies]:2} of them picked with k = {K}, {chosen(scores, 128)[-1, places].sum():2} with k = 128"
    )
assert found[4] >= 3
assert found[96] <= K

# %% en
# ## What is published
#
# - Sizes (64 index heads of 128, 2,048 picks, non-interleaved RoPE, Hadamard rotation, FP8): the code of
#   `deepseek-ai/DeepSeek-V3.2-Exp` on GitHub and Hugging Face, under the MIT licence, and its README.
# - Training (KL warm-up of the indexer, then sparse training of all parameters): the technical report in that repository.
# - Its cost curves are published as a picture only; the table in section 8 is arithmetic on the sizes, not a measurement.
# - Prices fell by more than half on 29 September 2025, when V3.2-Exp came out: `%deepseek price` and
#   [providers](../docs/providers.md) have today's.
#
# To ask about this notebook, put `%%deepseek --cells above` into a cell: the cells above go along.

# %% zh
# ## 已公开的内容
#
# - 尺寸（64 个 index 头，每个 128 维；挑选 2,048 个；非交错 RoPE；Hadamard 旋转；FP8）：GitHub 和 Hugging Face 上
#   `deepseek-ai/DeepSeek-V3.2-Exp` 的代码（MIT 许可证）及其 README。
# - 训练（先用 KL 预热 indexer，再对全部参数做稀疏训练）：同一仓库中的技术报告。
# - 成本曲线只以图片形式公开；第 8 节的表是按尺寸算出来的，不是测量值。
# - 2025 年 9 月 29 日 V3.2-Exp 发布时价格下降一半以上；现在的价格见 `%deepseek price` 和 [providers](../docs/providers.md)。
#
# 想就本笔记本提问，在单元格里写 `%%deepseek --cells above`：上面的单元格会一起发送。
