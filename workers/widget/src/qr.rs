//! A work's page as a QR code, for paper.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code: readers want four.
const QUIET: usize = 4;

/// The code as an SVG; nothing where the address is too long for any.
pub(crate) fn svg(address: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(address, EcLevel::M).ok()?;
    let width = code.width();
    let side = QUIET.checked_mul(2)?.checked_add(width)?;
    let mut path = String::new();
    for (row, line) in code.to_colors().chunks(width).enumerate() {
        let y = row.checked_add(QUIET)?;
        let mut dark = 0_usize;
        // One rectangle for each run of dark modules; a light one behind the last ends it.
        for (column, colour) in line.iter().chain([&Color::Light]).enumerate() {
            if *colour == Color::Dark {
                dark = dark.checked_add(1)?;
            } else if dark > 0 {
                let x = column.checked_add(QUIET)?.checked_sub(dark)?;
                path = format!("{path}M{x} {y}h{dark}v1h-{dark}z");
                dark = 0;
            }
        }
    }
    // Always dark on light, whatever the page is: many readers know no other.
    Some(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges" role="img"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{path}"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_as_many_modules_as_its_version_and_a_quiet_zone() {
        let address = format!("https://satchel.example/w/wrk_{}", "a".repeat(52));
        let svg = svg(&address).unwrap();
        // 82 characters at level M: version 5, 37 modules, and the margin.
        assert!(svg.contains(r#"viewBox="0 0 45 45""#), "{svg}");
        // The three finder patterns begin with seven dark modules in the first row.
        assert!(svg.contains("M4 4h7v1h-7z") && svg.contains("M34 4h7v1h-7z"));
    }

    #[test]
    fn what_fits_no_code_has_none() {
        assert_eq!(svg(&"x".repeat(4000)), None);
    }
}
