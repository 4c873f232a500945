// A line that grows while something is measured. What it shows is also told in numbers
// beside it, so the picture itself is one image with a sentence.
import {h, svg} from './element.js';

const width = 240;
const height = 56;

// 1, 2 or 5 times a power of ten, not below `value`.
export function round_up(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

// `shape`: 'line' or 'area'. `format` writes the top of the scale.
export function plot({caption, description, samples, duration_ms, shape, format}) {
  const top = round_up(Math.max(...samples.map(({value}) => value), 0));
  const place = ({at, value}) =>
    `${(Math.min(at / duration_ms, 1) * width).toFixed(1)},${((1 - value / top) * height).toFixed(1)}`;
  const points = samples.map(place);
  const curve = [];
  if (points.length > 0) {
    if (shape === 'area') points.unshift(place({at: 0, value: samples[0].value}));
    const [start] = points[0].split(',');
    const [end] = points.at(-1).split(',');
    if (shape === 'area') {
      curve.push(svg('path', {class: 'area', d: `M${start},${height}L${points.join('L')}L${end},${height}Z`}));
    }
    curve.push(svg('polyline', {class: 'line', points: points.join(' ')}));
  }
  const picture = svg('svg', {
    viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': description,
  }, svg('path', {class: 'axis', d: `M0,${height}H${width}`}), curve);
  return h('figure', {class: 'plot'}, picture,
    h('figcaption', {}, h('span', {}, caption), h('span', {'aria-hidden': 'true'}, `0 – ${format(top)}`)));
}
