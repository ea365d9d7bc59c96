//! Plots as SVG, plain enough to be read in a README.

use std::io;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::table::figure;

const FONT: &str = "sans-serif";
const WIDTH: u32 = 860;
const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const OTHERS: RGBColor = RGBColor(0xb8, 0xb8, 0xb8);
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);

/// One bar per server; those whose name begins with `Parlor` stand out.
pub fn bars(path: &Path, title: &str, bars: &[(&str, f64)]) -> io::Result<()> {
    const TOP: i32 = 48;
    const STEP: i32 = 34;
    const LEFT: i32 = 230;
    const RIGHT: i32 = 90;
    let rows = i32::try_from(bars.len()).unwrap_or(i32::MAX);
    let height = u32::try_from(TOP + rows * STEP + 12).unwrap_or(WIDTH);
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    let longest = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let space = f64::from(WIDTH as i32 - LEFT - RIGHT);
    let draw = || -> Result<(), DrawingAreaErrorKind<_>> {
        root.fill(&WHITE)?;
        root.draw(&Text::new(title, (16, 16), (FONT, 17).into_font().color(&INK)))?;
        let label = (FONT, 14).into_font().color(&INK);
        let (name_at, value_at) = (Pos::new(HPos::Right, VPos::Center), Pos::new(HPos::Left, VPos::Center));
        for (row, (name, value)) in (0..).zip(bars) {
            let (top, end) = (TOP + row * STEP, LEFT + (space * value / longest).round() as i32);
            let color = if name.starts_with("Parlor") { OURS } else { OTHERS };
            root.draw(&Rectangle::new([(LEFT, top), (end.max(LEFT + 1), top + STEP - 10)], color.filled()))?;
            let middle = top + (STEP - 10) / 2;
            root.draw(&Text::new(name.replace('`', ""), (LEFT - 10, middle), label.clone().pos(name_at)))?;
            root.draw(&Text::new(figure(*value), (end + 8, middle), label.clone().pos(value_at)))?;
        }
        root.present()
    };
    draw().map_err(|error| io::Error::other(error.to_string()))
}

/// One line per series, both axes logarithmic.
pub fn lines(path: &Path, title: &str, axes: (&str, &str), series: &[(String, Vec<(f64, f64)>)]) -> io::Result<()> {
    let root = SVGBackend::new(path, (WIDTH, 420)).into_drawing_area();
    let points = || series.iter().flat_map(|(_, points)| points.iter().copied());
    let range = |of: fn((f64, f64)) -> f64| {
        points().map(of).fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), value| (low.min(value), high.max(value)))
    };
    let ((left, right), (low, high)) = (range(|point| point.0), range(|point| point.1));
    let draw = || -> Result<(), DrawingAreaErrorKind<_>> {
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(title, (FONT, 17).into_font().color(&INK))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d((left * 0.9..right * 1.1).log_scale(), (low * 0.7..high * 1.4).log_scale())?;
        chart.configure_mesh().x_desc(axes.0).y_desc(axes.1).label_style((FONT, 13)).light_line_style(WHITE).draw()?;
        for (n, (name, points)) in series.iter().enumerate() {
            let color = Palette99::pick(n).to_rgba();
            let style = color.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style))?
                .label(name.replace('`', ""))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font((FONT, 13))
            .background_style(WHITE.mix(0.8))
            .draw()?;
        root.present()
    };
    draw().map_err(|error| io::Error::other(error.to_string()))
}
