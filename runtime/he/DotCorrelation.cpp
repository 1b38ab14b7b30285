#include "runtime/he/DotCorrelation.h"

namespace sd {

namespace {

constexpr RlweUse kMasks = RlweUse::Masks;

// A block of a matrix [rows, length] as a polynomial: row i from coefficient i * step on, k rising for what P1 uploads
// and falling for what P0 multiplies it with.
template <class Word>
void packBlock(const DotPacking &packing, std::span<const Word> matrix, std::int64_t firstRow, std::int64_t rows,
               std::int64_t lengthIndex, std::int64_t step, bool falling, std::span<Word> coefficients) {
  const std::int64_t length = packing.lengthOf(lengthIndex), first = lengthIndex * packing.lengthBlock;
  for (std::int64_t i = 0; i < rows; ++i) {
    const Word *from = matrix.data() + (firstRow + i) * packing.shape.length + first;
    for (std::int64_t k = 0; k < length; ++k)
      coefficients[i * step + (falling ? packing.lengthBlock - 1 - k : k)] = from[k];
  }
}

// Of the polynomials of one batch: those of the left matrix by row block, then length block; then those of the right.
template <class Word>
void packPart(const DotPacking &packing, std::int64_t index, std::span<const Word> left, std::span<const Word> right,
              bool falling, std::span<Word> coefficients) {
  std::ranges::fill(coefficients, 0);
  const std::int64_t lengths = packing.lengthBlocks(), lefts = packing.rowBlocks() * lengths;
  const bool isLeft = index < lefts;
  const std::int64_t block = (isLeft ? index : index - lefts) / lengths, l = index % lengths;
  if (isLeft)
    packBlock<Word>(packing, left, block * packing.rowBlock, packing.rowsOf(block), l,
                    packing.columnBlock * packing.lengthBlock, falling, coefficients);
  else
    packBlock<Word>(packing, right, block * packing.columnBlock, packing.columnsOf(block), l, packing.lengthBlock,
                    falling, coefficients);
}

std::int64_t partsOf(const DotPacking &packing) { return packing.uploads() / packing.shape.batch; }

// The places of a block's results, row by row.
std::vector<std::int32_t> positionsOf(const DotPacking &packing, std::int64_t rows, std::int64_t columns) {
  std::vector<std::int32_t> positions;
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t n = 0; n < columns; ++n)
      positions.push_back(static_cast<std::int32_t>((m * packing.columnBlock + n + 1) * packing.lengthBlock - 1));
  return positions;
}

std::size_t blockBytes(const DotPacking &packing, std::int64_t i, std::int64_t j) {
  return static_cast<std::size_t>(packing.shape.sizes().replyBytes(packing.rowsOf(i) * packing.columnsOf(j)));
}

// Of the message with the replies of row block i: where each begins, and the size of all.
std::vector<std::size_t> offsetsOf(const DotPacking &packing, std::int64_t i) {
  std::vector<std::size_t> offsets{0};
  for (std::int64_t j = 0; j < packing.columnBlocks(); ++j)
    offsets.push_back(offsets.back() + blockBytes(packing, i, j));
  return offsets;
}

// body(batch's part of a, of b, of the result), for each of the batch.
template <class A, class C, class Body>
Expected<void> forBatch(const DotShape &shape, std::span<const A> a, std::span<const A> b, std::span<C> c,
                        const Body &body) {
  const auto left = static_cast<std::size_t>(shape.left() / shape.batch),
             right = static_cast<std::size_t>(shape.right() / shape.batch),
             result = static_cast<std::size_t>(shape.result() / shape.batch);
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.batch); ++i)
    SD_TRY(body(a.subspan(i * left, left), b.subspan(i * right, right), c.empty() ? c : c.subspan(i * result, result)));
  return {};
}

} // namespace

template <RingWord R>
Expected<DotHospital<R>> DotHospital<R>::setUp(Channel &channel, const Seed &seed) {
  SD_ASSIGN(Uploader uploader, Uploader::setUp(channel, seed));
  return DotHospital(channel, std::move(uploader));
}

template <RingWord R>
Expected<void> DotHospital<R>::upload(const DotPacking &packing, std::span<const R> r, std::span<const R> s,
                                      ThreadPool &threads) {
  return forBatch(packing.shape, r, s, std::span<R>(), [&](auto left, auto right, std::span<R>) {
    return uploader_.send(
        partsOf(packing),
        [&](std::int64_t i, std::span<R> coefficients) { packPart<R>(packing, i, left, right, false, coefficients); },
        threads);
  });
}

template <RingWord R>
Expected<void> DotHospital<R>::collect(const DotPacking &packing, std::span<R> product, ThreadPool &threads) const {
  const DotShape &shape = packing.shape;
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    R *const out = product.data() + b * shape.rows * shape.columns;
    for (std::int64_t i = 0; i < packing.rowBlocks(); ++i) {
      const std::vector<std::size_t> offsets = offsetsOf(packing, i);
      std::vector<std::uint8_t> message(offsets.back());
      SD_TRY(channel_->receive(kRlweReplyTag, message));
      threads.parallelFor(packing.columnBlocks(), [&](std::int64_t j) {
        const std::int64_t rows = packing.rowsOf(i), columns = packing.columnsOf(j);
        SecretVector<R> opened(static_cast<std::size_t>(rows * columns));
        uploader_.open(std::span(message).subspan(offsets[j], blockBytes(packing, i, j)),
                       positionsOf(packing, rows, columns), opened.span());
        for (std::int64_t m = 0; m < rows; ++m)
          std::copy_n(opened.data() + m * columns, columns,
                      out + (i * packing.rowBlock + m) * shape.columns + j * packing.columnBlock);
      });
    }
  }
  return {};
}

template <RingWord R>
Expected<DotService<R>> DotService<R>::setUp(Channel &channel, const Seed &seed) {
  SD_ASSIGN(Replier replier, Replier::setUp(channel));
  return DotService(channel, seed, std::move(replier));
}

template <RingWord R>
Expected<void> DotService<R>::answerOne(const DotPacking &packing, std::span<const R> alpha, std::span<const R> beta,
                                        std::span<R> product, ThreadPool &threads) {
  const DotShape &shape = packing.shape;
  const std::int64_t parts = partsOf(packing), lengths = packing.lengthBlocks(), lefts = packing.rowBlocks() * lengths;
  SD_ASSIGN(const RlweUploads uploads, replier_.receive(parts));
  Prg masks(seed_.derive(fmt::format("dot masks {}", answered_)));
  masks.fill(product);
  std::vector<RlwePoly> factors(static_cast<std::size_t>(parts));
  threads.parallelFor(parts, [&](std::int64_t p) {
    SecretVector<R> coefficients(RlweParameters<R, kMasks>::kDegree);
    packPart<R>(packing, p, alpha, beta, true, coefficients.span());
    factors[p] = makeRlwePoly<R, kMasks>();
    const std::span<const R> all(coefficients.span());
    transformSigned<R, kMasks>({reinterpret_cast<const SignedOf<R> *>(all.data()), all.size()}, factors[p]);
  });
  const auto reply = [&](std::int64_t i, std::int64_t j, std::span<std::uint8_t> out) {
    ReplySums<R, kMasks> sums;
    for (std::int64_t l = 0; l < lengths; ++l) {
      const std::int64_t left = i * lengths + l, right = lefts + j * lengths + l;
      const RlweTerm terms[] = {{&factors[left], &uploads.c0[right], &uploads.c1[right]},
                                {&factors[right], &uploads.c0[left], &uploads.c1[left]}};
      sums.add(terms);
    }
    const std::int64_t rows = packing.rowsOf(i), columns = packing.columnsOf(j);
    const std::vector<std::int32_t> positions = positionsOf(packing, rows, columns);
    SecretVector<R> mask(positions.size());
    for (std::int64_t m = 0; m < rows; ++m)
      std::copy_n(product.data() + (i * packing.rowBlock + m) * shape.columns + j * packing.columnBlock, columns,
                  mask.data() + m * columns);
    Prg randomness(seed_.derive(fmt::format("dot reply {} {} {}", answered_, i, j)));
    replier_.write(sums, {positions, mask.span()}, randomness, out);
  };
  // As many row blocks at once as keep all threads at work.
  const std::int64_t columns = packing.columnBlocks(),
                     together = (static_cast<std::int64_t>(threads.threads()) + columns - 1) / columns;
  for (std::int64_t first = 0; first < packing.rowBlocks(); first += together) {
    const std::int64_t count = std::min(together, packing.rowBlocks() - first);
    std::vector<std::vector<std::uint8_t>> messages(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
      messages[i].resize(offsetsOf(packing, first + i).back());
    threads.parallelFor(count * columns, [&](std::int64_t k) {
      const std::int64_t i = k / columns, j = k % columns;
      reply(first + i, j,
            std::span(messages[i]).subspan(offsetsOf(packing, first + i)[j], blockBytes(packing, first + i, j)));
    });
    for (const std::vector<std::uint8_t> &message : messages)
      SD_TRY(channel_->send(kRlweReplyTag, message));
  }
  ++answered_;
  return {};
}

template <RingWord R>
Expected<void> DotService<R>::answer(const DotPacking &packing, std::span<const R> alpha, std::span<const R> beta,
                                     std::span<R> product, ThreadPool &threads) {
  if (2 * packing.lengthBlocks() > kMaxProducts)
    return fail("a product of matrices is longer than the protocol takes: {} polynomials, at most {}",
                2 * packing.lengthBlocks(), kMaxProducts);
  return forBatch(packing.shape, alpha, beta, product, [&](auto left, auto right, std::span<R> result) {
    return answerOne(packing, left, right, result, threads);
  });
}

template class DotHospital<Ring32>;
template class DotHospital<Ring64>;
template class DotService<Ring32>;
template class DotService<Ring64>;

} // namespace sd
