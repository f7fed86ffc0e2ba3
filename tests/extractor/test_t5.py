"""Our T5 is the published one: the same scores, the same words, cached or not, and no weight that is not its own."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

from extractor.errors import ModelError
from extractor.nn import t5_files
from extractor.nn.t5 import T5, Sizes, bucket, init_weights, spread

TINY = Sizes(width=32, feed=48, heads=4, head_width=6, encoder_layers=3, decoder_layers=2, num_pieces=40, dropout=0.1)
PAD, EOS = 0, 1


def published(folder, kind="relu", largest_file="5GB"):
    """A tiny T5 as Hugging Face draws and saves it."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=TINY.num_pieces,
        d_model=TINY.width,
        d_kv=TINY.head_width,
        d_ff=TINY.feed,
        num_layers=TINY.encoder_layers,
        num_decoder_layers=TINY.decoder_layers,
        num_heads=TINY.heads,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=12,
        feed_forward_proj=kind,
    )
    model = T5ForConditionalGeneration(config).train(False)
    with torch.no_grad():  # gains of 1 and biases near 0 would hide a norm or a bias left out
        for name, weight in model.named_parameters():
            if "layer_norm" in name:
                weight.uniform_(0.5, 1.5)
            if "relative" in name:
                weight.normal_(std=1.0)
    model.save_pretrained(folder, max_shard_size=largest_file)
    return model


def asked(num_rows=3, num_pieces=20, num_steps=7):
    """Pieces of some products with padding behind all but the first, and what is written of them."""
    torch.manual_seed(1)
    piece_BX = torch.randint(2, TINY.num_pieces, (num_rows, num_pieces))
    absent_BX = torch.arange(num_pieces) >= torch.tensor([num_pieces, 9, 1])[:num_rows, None]
    return piece_BX.masked_fill(absent_BX, PAD), absent_BX, torch.randint(2, TINY.num_pieces, (num_rows, num_steps))


def scores(model, piece_BX, absent_BX, written_BT):
    crossed = model.cross(model.encode(model.embed(piece_BX), absent_BX))
    state_BTD, _ = model.decode(model.embed(written_BT), crossed, absent_BX)
    return model.score(state_BTD)


@pytest.fixture
def tiny():
    torch.manual_seed(2)
    return T5(TINY).train(False)


@pytest.mark.parametrize("kind", ["relu", "gated-gelu"])
@torch.no_grad()
def test_scores_are_those_of_the_published_code(tmp_path, kind):
    theirs = published(tmp_path, kind)
    piece_BX, absent_BX, written_BT = asked()

    ours, sizes = t5_files.load(tmp_path)
    found = scores(ours, piece_BX, absent_BX, written_BT)
    expected = theirs(input_ids=piece_BX, attention_mask=(~absent_BX).long(), decoder_input_ids=written_BT).logits

    assert sizes == replace(TINY, num_buckets=8, max_distance=12, gated=kind == "gated-gelu")
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-5)
    assert not ours.training
    assert all(weight.requires_grad for weight in ours.parameters())


@torch.no_grad()
def test_training_drops_where_the_published_code_drops(tmp_path):
    theirs = published(tmp_path).train(True)
    piece_BX, absent_BX, written_BT = asked()

    ours, _ = t5_files.load(tmp_path)
    torch.manual_seed(3)
    found = scores(ours.train(True), piece_BX, absent_BX, written_BT)
    torch.manual_seed(3)
    expected = theirs(input_ids=piece_BX, attention_mask=(~absent_BX).long(), decoder_input_ids=written_BT).logits

    assert torch.allclose(found, expected, atol=1e-5)


@torch.no_grad()
def test_greedy_words_are_those_of_generate(tmp_path):
    theirs = published(tmp_path)
    piece_BX, absent_BX, _ = asked()
    num_steps = 12

    model, _ = t5_files.load(tmp_path)
    crossed = model.cross(model.encode(model.embed(piece_BX), absent_BX))
    said_B1, past, said = torch.full((3, 1), PAD), None, []
    for step in range(num_steps):
        state_B1D, past = model.decode(model.embed(said_B1), crossed, absent_BX, past, step)
        if step == 0:
            past = tuple(layer.with_room(num_steps) for layer in past)
        score_B1V = model.score(state_B1D)
        score_B1V[..., EOS] = -torch.inf
        said_B1 = score_B1V.argmax(-1)
        said.append(said_B1)
    settings = GenerationConfig(
        max_new_tokens=num_steps,
        min_new_tokens=num_steps,
        do_sample=False,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=PAD,
    )
    expected_BT = theirs.generate(input_ids=piece_BX, attention_mask=(~absent_BX).long(), generation_config=settings)

    assert torch.cat(said, dim=1).tolist() == expected_BT[:, 1:].tolist()


@pytest.mark.parametrize("with_room", [True, False])
@torch.no_grad()
def test_steps_one_by_one_are_the_steps_together(tiny, with_room):
    piece_BX, absent_BX, written_BT = asked()
    crossed = tiny.cross(tiny.encode(tiny.embed(piece_BX), absent_BX))
    input_BTD = tiny.embed(written_BT)

    together, _ = tiny.decode(input_BTD, crossed, absent_BX)
    first, past = tiny.decode(input_BTD[:, :2], crossed, absent_BX)
    if with_room:
        past = tuple(layer.with_room(5) for layer in past)
    parts = [first]
    for step in range(2, 7):
        part, past = tiny.decode(input_BTD[:, step : step + 1], crossed, absent_BX, past, step)
        parts.append(part)

    assert torch.allclose(torch.cat(parts, dim=1), together, atol=1e-5)


@torch.no_grad()
def test_no_step_sees_a_later_one(tiny):
    piece_BX, absent_BX, written_BT = asked()
    other_BT = written_BT.clone()
    other_BT[:, 4:] = (other_BT[:, 4:] + 5) % TINY.num_pieces

    found, changed = (scores(tiny, piece_BX, absent_BX, written) for written in (written_BT, other_BT))

    assert torch.equal(found[:, :4], changed[:, :4])
    assert not torch.allclose(found[:, 4], changed[:, 4], atol=1e-3)


@torch.no_grad()
def test_a_product_alone_scores_as_in_a_padded_batch(tiny):
    piece_BX, absent_BX, written_BT = asked()

    batch = scores(tiny, piece_BX, absent_BX, written_BT)
    alone = scores(tiny, piece_BX[1:2, :9], absent_BX[1:2, :9], written_BT[1:2])

    assert torch.allclose(alone[0], batch[1], atol=1e-5)


@torch.no_grad()
def test_garbage_in_absent_slots_changes_nothing(tiny):
    piece_BX, absent_BX, written_BT = asked()
    input_BXD = tiny.embed(piece_BX)
    garbage_BXD = torch.where(absent_BX[..., None], 1e4 * torch.randn_like(input_BXD), input_BXD)

    clean_BXD, dirty_BXD = (tiny.encode(rows, absent_BX) for rows in (input_BXD, garbage_BXD))
    clean_RTD, dirty_RTD = (
        tiny.decode(tiny.embed(written_BT), tiny.cross(rows), absent_BX)[0] for rows in (clean_BXD, dirty_BXD)
    )

    assert torch.equal(clean_BXD[~absent_BX], dirty_BXD[~absent_BX])
    assert torch.equal(clean_RTD, dirty_RTD)


@torch.no_grad()
def test_many_questions_of_one_product_read_it_once(tiny):
    piece_BX, absent_BX, _ = asked()
    row_R = torch.tensor([2, 0, 0, 1])
    written_RT = torch.randint(2, TINY.num_pieces, (4, 5))

    crossed = spread(tiny.cross(tiny.encode(tiny.embed(piece_BX), absent_BX)), row_R)
    state_RTD, _ = tiny.decode(tiny.embed(written_RT), crossed, absent_BX[row_R])

    expected = scores(tiny, piece_BX[row_R], absent_BX[row_R], written_RT)
    assert torch.allclose(tiny.score(state_RTD), expected, atol=1e-5)


@pytest.mark.parametrize("both_ways", [True, False])
def test_far_distances_share_a_class_and_near_ones_do_not(both_ways):
    ahead_K = torch.arange(-200, 201)

    found = bucket(ahead_K, both_ways=both_ways, num_buckets=32, max_distance=128)

    classes = dict(zip(ahead_K.tolist(), found.tolist(), strict=True))
    num_exact = 8 if both_ways else 16
    assert [classes[-distance] for distance in range(num_exact)] == list(range(num_exact))
    assert classes[-128] == classes[-200] == (15 if both_ways else 31)
    assert classes[-128] != classes[-60]
    assert classes[5] == (16 + 5 if both_ways else 0)


def test_gradients_reach_every_weight_and_are_finite(tiny):
    piece_BX, absent_BX, written_BT = asked()
    tiny.train(True)

    scores(tiny, piece_BX, absent_BX, written_BT).log_softmax(-1)[..., 3].sum().backward()

    for name, weight in tiny.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


def test_dropout_works_in_training_alone(tiny):
    piece_BX, absent_BX, written_BT = asked()

    once, again = (scores(tiny, piece_BX, absent_BX, written_BT) for _ in range(2))
    tiny.train(True)
    dropped, other = (scores(tiny, piece_BX, absent_BX, written_BT) for _ in range(2))

    assert torch.equal(once, again)
    assert not torch.allclose(dropped, other, atol=1e-3)


def test_bfloat16_is_finite_and_near(tiny):
    piece_BX, absent_BX, written_BT = asked()

    expected = scores(tiny, piece_BX, absent_BX, written_BT)
    with torch.autocast("cpu", torch.bfloat16):
        found = scores(tiny, piece_BX, absent_BX, written_BT)
    found.logsumexp(-1).sum().backward()

    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 0.1 * expected.std()
    assert all(weight.grad.isfinite().all() for weight in tiny.parameters())


def test_fresh_weights_are_as_large_as_t5_draws_them():
    torch.manual_seed(0)
    wide = replace(TINY, width=256, feed=512, heads=8, head_width=64)
    ours = T5(wide)
    config = T5Config(vocab_size=40, d_model=256, d_ff=512, d_kv=64, num_heads=8, num_layers=3, num_decoder_layers=2)
    theirs = dict(T5ForConditionalGeneration(config).named_parameters())

    for name, weight in ours.named_parameters():
        found, expected = (part.detach().pow(2).mean().sqrt().item() for part in (weight, theirs[name]))
        assert found == pytest.approx(expected, rel=0.2), name


def test_the_same_seed_draws_the_same_weights(tiny):
    torch.manual_seed(2)
    init_weights(tiny)

    torch.manual_seed(2)
    again = T5(TINY)
    torch.manual_seed(2)
    init_weights(again)

    assert all(torch.equal(a, b) for a, b in zip(tiny.parameters(), again.parameters(), strict=True))


def test_weights_in_several_files_are_one_model(tmp_path):
    theirs = published(tmp_path, largest_file="10KB")

    ours, _ = t5_files.load(tmp_path)

    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert torch.equal(ours.decoder.blocks[1].own.q.weight, theirs.decoder.block[1].layer[0].SelfAttention.q.weight)


def test_an_old_checkpoint_loads_with_its_ties_and_its_unused_bias(tmp_path):
    published(tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    ties = dict.fromkeys(t5_files.TIED, held["shared.weight"])
    torch.save({**held, **ties, t5_files.UNUSED: torch.zeros(8, 4)}, tmp_path / "pytorch_model.bin")
    config = json.loads((tmp_path / "config.json").read_text())
    silent = ("feed_forward_proj", "tie_word_embeddings", "scale_decoder_outputs", "is_gated_act", "dense_act_fn")
    old = {key: value for key, value in config.items() if key not in silent}
    (tmp_path / "config.json").write_text(json.dumps(old))

    ours, _ = t5_files.load(tmp_path)

    assert torch.equal(ours.shared.weight, held["shared.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: held.pop("decoder.block.1.layer.2.DenseReluDense.wo.weight"), r"without: decoder\.block\.1"),
        (lambda held: held.update(extra=torch.zeros(1)), "1 weights with unknown: extra"),
        (lambda held: held.update({"lm_head.weight": torch.zeros(40, 32)}), "lm_head.weight unlike shared.weight"),
        (lambda held: held.update({"shared.weight": torch.zeros(41, 32)}), "size mismatch"),
    ],
)
def test_other_weights_are_refused_by_name(tmp_path, change, message):
    published(tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    change(held)
    save_file(held, tmp_path / "model.safetensors")

    with pytest.raises(ModelError, match=message):
        t5_files.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "mt5"),
        ("feed_forward_proj", "gated-silu"),
        ("tie_word_embeddings", False),
        ("layer_norm_epsilon", 1e-5),
        ("d_model", "wide"),
        ("num_heads", 0),
        ("num_layers", True),
        ("vocab_size", None),
        ("dropout_rate", 1.5),
        ("relative_attention_num_buckets", 1),
    ],
)
def test_settings_of_another_t5_are_refused_by_name(tmp_path, key, value):
    published(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, key: value}))

    with pytest.raises(ModelError, match=key if "buckets" not in key else "distance"):
        t5_files.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "config.json"),
        ("config.json", b"[]", "a JSON object"),
        ("config.json", None, "no config.json"),
        ("model.safetensors", b"not tensors", "tensors and nothing else"),
        ("model.safetensors", None, "no weights"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, name, content, message):
    published(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(ModelError, match=message):
        t5_files.load(tmp_path)


def test_a_pickle_that_is_more_than_tensors_is_refused(tmp_path):
    published(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"shared.weight": Sizes()}, tmp_path / "pytorch_model.bin")

    with pytest.raises(ModelError, match="tensors and nothing else"):
        t5_files.load(tmp_path)


@pytest.mark.parametrize("index", [{}, {"weight_map": {"shared.weight": "../other/model.safetensors"}}])
def test_an_index_that_leaves_its_folder_is_refused(tmp_path, index):
    published(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(ModelError, match="weight_map"):
        t5_files.load(tmp_path)


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        t5_files.load(tmp_path / "nowhere")
